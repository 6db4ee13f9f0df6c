"""The example pictures: what is in the folder is what the script draws, and one of them is honestly broken."""

from pathlib import Path

import pytest
from PIL import Image

from examples.draw import PICTURES, WANTED, draw_examples, example_scenes, file_name


def test_the_folder_holds_what_the_script_draws(tmp_path: Path) -> None:
    drawn = {path.relative_to(tmp_path) for path in draw_examples(tmp_path)}
    kept = {path.relative_to(PICTURES) for path in PICTURES.rglob("*.*")}
    assert drawn == kept
    assert len(drawn) == 37
    assert {path.suffix for path in drawn} == {".jpg", ".png", ".webp"}
    for path in sorted(drawn - {Path("corrupt.jpg")}):
        with Image.open(tmp_path / path) as ours, Image.open(PICTURES / path) as theirs:
            assert ours.size == theirs.size == (256, 256)
            assert ours.format == theirs.format


def test_two_runs_draw_the_same_bytes(tmp_path: Path) -> None:
    first, second = draw_examples(tmp_path / "a"), draw_examples(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_scene_is_there_once_and_the_one_of_the_demo_first() -> None:
    scenes = example_scenes()
    assert scenes[0].sentence == "a large red circle above a small blue square on a white background"
    assert len({file_name(scene, ".jpg") for scene in scenes}) == len(scenes) == 36


def test_a_file_name_tells_what_the_picture_shows() -> None:
    assert file_name(WANTED, ".png") == "large-red-circle-above-small-blue-square-on-white.png"


def test_the_corrupt_file_is_a_jpeg_that_ends_too_early() -> None:
    with Image.open(PICTURES / "corrupt.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 256))
        with pytest.raises(OSError, match="truncated"):
            picture.load()


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in PICTURES.rglob("*.*")) < 1_000_000
