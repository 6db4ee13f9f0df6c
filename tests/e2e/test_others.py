"""All but one of each group are listed, moved and moved back; nothing else is touched, and nothing is written over."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.in_process import InProcess, stack_without_models

pytestmark = pytest.mark.e2e


def fields(seed: int) -> Image.Image:
    """A picture of 4 x 4 coloured fields."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((64, 64), Image.Resampling.NEAREST)


def shot(path: Path, seed: int, second: int) -> None:
    exif = Image.Exif()
    exif[0x0110] = "X100"
    exif.get_ifd(0x8769)[0x9003] = f"2024:05:31 14:00:{second:02}"
    fields(seed).save(path, exif=exif, quality=95 - second)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A picture thrice, the last time in another folder; one in two sizes; a burst of two; one alone."""
    folder = tmp_path / "album"
    (folder / "best").mkdir(parents=True)
    fields(1).save(folder / "a.png")
    shutil.copy(folder / "a.png", folder / "b with space.png")
    shutil.copy(folder / "a.png", folder / "best" / "c.png")
    fields(2).save(folder / "small.png")
    fields(2).resize((128, 128), Image.Resampling.NEAREST).save(folder / "z large.png")
    shot(folder / "burst 1.jpg", 3, 1)
    shot(folder / "burst 2.jpg", 3, 2)
    fields(4).save(folder / "alone.png")
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[InProcess]:
    with stack_without_models(tmp_path_factory.mktemp("others"), redis_process) as home:
        yield home


@pytest.fixture
def filled(running: InProcess, album: Path) -> Iterator[InProcess]:
    assert running.json("ingest", str(album))["stored"] == 8
    yield running
    running.run("forget", str(album))


def listed(home: InProcess, album: Path, *options: str) -> list[str]:
    done = home.run("duplicates", "--list-others", *options)
    assert done.returncode == 0, done.stderr
    return [line.removeprefix(f"{album}/") for line in done.stdout.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_others_follow_the_rule(filled: InProcess, album: Path) -> None:
    assert listed(filled, album) == ["b with space.png", "best/c.png"]
    assert listed(filled, album, "--keep", str(album / "best")) == ["a.png", "b with space.png"]
    near = ["--near", "0.99"]
    assert set(listed(filled, album, *near)) == {"b with space.png", "best/c.png", "small.png"}
    assert len(listed(filled, album, *near, "--bursts")) == 4
    done = filled.run("duplicates", "--keep", "newest")
    assert done.returncode == 2
    assert "'newest' is neither a rule (largest, oldest, format) nor a folder." in done.stderr


def test_others_are_moved_and_moved_back(filled: InProcess, album: Path, tmp_path: Path) -> None:
    away, before = tmp_path / "away", names(album)
    tried = filled.run("duplicates", "--move-to", str(away), "--dry-run")
    assert "2 files" in tried.stderr + tried.stdout
    assert (names(album), away.exists()) == (before, False)
    done = filled.json("duplicates", "--move-to", str(away))
    assert (len(done["moved"]), done["left"]) == (2, [])
    assert names(album) == [name for name in before if name not in ("b with space.png", "best/c.png")]
    assert (away / str(album).lstrip("/") / "best" / "c.png").is_file()
    assert len(filled.json("search", "--where", "width=64", "-n", "100")["results"]) == 5
    back = filled.run("duplicates", "--undo", done["undo"])
    assert (back.returncode, names(album)) == (0, before)
    again = filled.json("duplicates", "--undo", done["undo"])
    assert (again["moved"], len(again["left"])) == ([], 2)


def test_what_has_changed_or_is_in_the_way_stays(filled: InProcess, album: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    taken = away / str(album).lstrip("/") / "best" / "c.png"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"somebody's")
    (album / "b with space.png").write_bytes(b"another picture by now")
    done = filled.json("duplicates", "--move-to", str(away))
    assert done["moved"] == []
    assert [reason.split(":")[0] for _, reason in done["left"]] == [
        "it has changed since it was ingested",
        "there is a file already",
    ]
    assert taken.read_bytes() == b"somebody's"


def test_a_copy_whose_counterpart_has_gone_or_changed_stays(filled: InProcess, album: Path, tmp_path: Path) -> None:
    facts = os.stat(album / "a.png")
    (album / "a.png").write_bytes(bytes(facts.st_size))
    os.utime(album / "a.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    done = filled.json("duplicates", "--move-to", str(tmp_path / "away"))
    assert {reason.split(" of ")[0] for _, reason in done["left"]} == {"its bytes are not those"}
    (album / "a.png").unlink()
    done = filled.json("duplicates", "--move-to", str(tmp_path / "away"))
    assert {reason.split(":")[0] for _, reason in done["left"]} == {"the one to keep is not there"}


def test_a_list_that_is_none_is_told(running: InProcess, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(json.dumps({"a": 1}))
    done = running.run("duplicates", "--undo", str(tmp_path / "list"))
    assert (done.returncode, "is no list of moved files" in done.stderr) == (2, True)
