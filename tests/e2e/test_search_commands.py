"""search, similar and duplicates as a person and a program use them: tables, JSON, pages, sentences, exit codes.

With the null model, whose embedding is a picture's own pixels, so that what is alike is known beforehand.
"""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Home, free_port

pytestmark = pytest.mark.e2e


def save(path: Path, seed: int, size: int = 64, **options: Any) -> None:
    """A picture of 4 x 4 coloured fields, the same ones for the same seed at any size."""
    fields = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(fields).resize((size, size), Image.Resampling.NEAREST).save(path, **options)


def camera(model: str, taken: str) -> Image.Exif:
    """What a camera writes."""
    exif = Image.Exif()
    exif[0x0110] = model
    exif[0x0132] = taken
    return exif


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five different pictures, one of them twice more: as a copy in a folder below, and in another size."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for number in range(5):
        save(folder / f"{number}.png", number)
    shutil.copy(folder / "1.png", folder / "below" / "<b>copy & 'q'.png")
    save(folder / "below" / "large.png", 1, 128)
    save(folder / "canon.jpg", 7, exif=camera("Canon EOS R5", "2024:05:31 14:00:00"))
    return folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Home]:
    """A stack that is kept up, with the pictures in its collection."""
    null = {"DARKROOM__MODELS__CLIP": "null", "DARKROOM__MODELS__CAPTIONS": "false"}
    home = Home(tmp_path_factory.mktemp("filled") / "data", null)
    stack = home.start("up", "--port", str(free_port()), module="workers")
    try:
        assert home.json("ingest", str(pictures))["stored"] == 8
        yield home
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.communicate(timeout=60)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def plain(home: Home, folder: Path, *arguments: str) -> str:
    """What a command prints, with the folder's path left out."""
    done = home.run(*arguments)
    assert done.returncode == 0, done.stderr
    return "\n".join(line.rstrip() for line in done.stdout.replace(f"{folder}/", "").splitlines())


def test_duplicates_are_listed_in_groups(filled: Home, pictures: Path) -> None:
    assert plain(filled, pictures, "duplicates").split("\n") == [
        "1 group of pictures with the same bytes among 8 pictures; all but the first of each are 1 file, "
        f"{(pictures / '1.png').stat().st_size} B.",
        "",
        "1. 2 pictures",
        f"{(pictures / '1.png').stat().st_size} B  1.png",
        f"{(pictures / '1.png').stat().st_size} B  below/<b>copy & 'q'.png",
    ]
    found = filled.json("duplicates")
    copies = [(pictures / "1.png").as_uri(), (pictures / "below" / "<b>copy & 'q'.png").as_uri()]
    assert (found["near"], found["points"], found["groups"], found["exit"]) == (None, 8, [copies], 0)


def test_near_duplicates_have_those_in_another_size_as_well(filled: Home, pictures: Path) -> None:
    found = filled.json("duplicates", "--near", "0.99")
    group = ["1.png", "below/<b>copy & 'q'.png", "below/large.png"]
    assert found["groups"] == [[(pictures / name).as_uri() for name in group]]
    lines = plain(filled, pictures, "duplicates", "--near", "0.99").split("\n")
    assert lines[2] == "1. 3 pictures"
    assert [line.split()[0] for line in lines[3:]] == ["1.000"] * 3


def test_duplicates_among_some_pictures_only_and_none_at_all(filled: Home, pictures: Path) -> None:
    below = ("--where", f"root={pictures / 'below'}")
    assert plain(filled, pictures, "duplicates", *below) == "No two pictures with the same bytes among 2 pictures."
    assert len(filled.json("duplicates", "--near", "0.99", *below)["groups"]) == 1


def test_similar_never_lists_the_file_itself_and_its_copies_only_when_asked(filled: Home, pictures: Path) -> None:
    found = filled.json("similar", str(pictures / "1.png"), "-n", "3")
    assert found["file"] == (pictures / "1.png").as_uri()
    assert len(found["results"]) == 3
    assert names(found["results"])[0] == "large.png"
    assert not {"1.png", "<b>copy & 'q'.png"} & set(names(found["results"]))
    with_copies = filled.json("similar", str(pictures / "1.png"), "-n", "20", "--copies")["results"]
    assert len(with_copies) == 7
    assert set(names(with_copies[:2])) == {"large.png", "<b>copy & 'q'.png"}


def test_a_picture_that_is_not_in_the_collection_is_embedded(filled: Home, tmp_path: Path) -> None:
    save(tmp_path / "new.webp", 3, 100, lossless=True)
    for command in (("similar", str(tmp_path / "new.webp")), ("search", "--image", str(tmp_path / "new.webp"))):
        results = filled.json(*command, "-n", "1")["results"]
        assert names(results) == ["3.png"]
        assert results[0]["score"] > 0.999


def test_search_by_facts_alone_lists_what_they_hold_for(filled: Home, pictures: Path) -> None:
    assert (
        plain(filled, pictures, "search", "--where", "camera=canon*", "--where", "taken=2024-05") == "file\ncanon.jpg"
    )
    found = filled.json("search", "--where", "format=png", "--where", "width>64")
    assert (found["query"], found["where"]) == (None, ["format=png", "width>64"])
    assert names(found["results"]) == ["large.png"]
    assert names(filled.json("search", "anything", "--where", "format!=png")["results"]) == ["canon.jpg"]


def test_nothing_found_is_said_so_and_no_failure(filled: Home, pictures: Path) -> None:
    where = ("--where", "camera=Nikon*", "--where", "iso>=800")
    said = "No picture in the collection matches camera=Nikon* and iso>=800."
    assert plain(filled, pictures, "search", "a dog", *where) == said
    assert plain(filled, pictures, "similar", str(pictures / "1.png"), *where) == said


def test_a_page_holds_the_thumbnails_and_is_named(filled: Home, pictures: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = filled.json("duplicates", "--near", "0.99", "--html", str(page))
    assert found["html"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert text.count('src="data:image/jpeg;base64,') == 3
    assert "&lt;b&gt;copy &amp; &#39;q&#39;.png" in text
    assert "<b>copy" not in text
    done = filled.run("similar", str(pictures / "1.png"), "--html", str(page), "-n", "2")
    assert done.stderr == f"Page: {page}\n"
    assert page.read_text(encoding="utf-8").count('src="data:image/jpeg;base64,') == 3
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_page_can_be_opened_and_says_so_where_there_is_no_browser(filled: Home, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    found = filled.json("search", "--where", "format=jpeg", "--open", BROWSER=f"{browser} %s", TMPDIR=str(tmp_path))
    assert opened.read_text().strip() == Path(found["html"]).as_uri()
    assert Path(found["html"]).parent == tmp_path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("search", "--image", "nowhere.jpg"), "error: There is no file nowhere.jpg."),
        (("similar", "/"), "error: / is a folder: name a picture."),
        (("similar", "README.md"), "README.md cannot be searched by: its content is not a picture format"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(filled: Home, arguments: tuple[str, ...], sentence: str) -> None:
    done = filled.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
