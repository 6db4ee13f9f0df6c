"""search, similar and duplicates as a person and a program use them: tables, JSON, pages, sentences, exit codes.

With the null model, whose embedding is a picture's own pixels, so that what is alike is known beforehand.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Home
from tests.e2e.in_process import stack_without_models

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
def filled(tmp_path_factory: pytest.TempPathFactory, redis_process: str, pictures: Path) -> Iterator[Home]:
    """A stack that is kept up, with the pictures in its collection."""
    with stack_without_models(tmp_path_factory.mktemp("filled"), redis_process) as home:
        assert home.json("ingest", str(pictures))["stored"] == 8
        yield home


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def records(home: Home, folder: Path, *arguments: str) -> list[list[str]]:
    """The fields of the lines that a command writes into a pipe, with the folder's path left out."""
    return [line.replace(f"{folder}/", "").split("\t") for line in home.run(*arguments).stdout.splitlines()]


def addresses(groups: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [[row["uri"] for row in group] for group in groups]


def test_duplicates_are_listed_in_groups(filled: Home, pictures: Path) -> None:
    size = str((pictures / "1.png").stat().st_size)
    done = filled.run("duplicates")
    assert done.stderr == (
        f"1 group of pictures with the same bytes among 8 pictures; all but the first of each are 1 file, {size} B.\n"
    )
    assert records(filled, pictures, "duplicates") == [
        ["1", "", size, "", "1.png"],
        ["1", "", size, "", "below/<b>copy & 'q'.png"],
    ]
    found = filled.json("duplicates")
    copies = [(pictures / "1.png").as_uri(), (pictures / "below" / "<b>copy & 'q'.png").as_uri()]
    assert (found["near"], found["points"], addresses(found["groups"]), found["exit"]) == (None, 8, [copies], 0)
    assert [row["path"] for row in found["groups"][0]] == [
        str(pictures / "1.png"),
        str(pictures / "below" / "<b>copy & 'q'.png"),
    ]


def test_near_duplicates_have_those_in_another_size_as_well(filled: Home, pictures: Path) -> None:
    found = filled.json("duplicates", "--near", "0.99")
    group = ["1.png", "below/<b>copy & 'q'.png", "below/large.png"]
    assert addresses(found["groups"]) == [[(pictures / name).as_uri() for name in group]]
    rows = records(filled, pictures, "duplicates", "--near", "0.99")
    assert [(row[0], row[1], row[-1]) for row in rows] == [("1", "1.000", name) for name in group]


def test_duplicates_among_some_pictures_only_and_none_at_all(filled: Home, pictures: Path) -> None:
    below = ("--where", f"root={pictures / 'below'}")
    done = filled.run("duplicates", *below)
    assert (done.stdout, done.stderr) == ("", "No two pictures with the same bytes among 2 pictures.\n")
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
    (row,) = records(filled, pictures, "search", "--where", "camera=canon*", "--where", "taken=2024-05")
    assert (row[0], row[1][:16], row[2:]) == ("", "2024-05-31T14:00", ["", "canon.jpg"])
    found = filled.json("search", "--where", "format=png", "--where", "width>64")
    assert (found["query"], found["where"]) == (None, ["format=png", "width>64"])
    assert names(found["results"]) == ["large.png"]
    assert names(filled.json("search", "anything", "--where", "format!=png")["results"]) == ["canon.jpg"]


def test_nothing_found_is_said_so_and_no_failure(filled: Home, pictures: Path) -> None:
    where = ("--where", "camera=Nikon*", "--where", "iso>=800")
    said = "No picture in the collection matches camera=Nikon* and iso>=800."
    for command in (("search", "a", "dog"), ("similar", str(pictures / "1.png"))):
        done = filled.run(*command, *where)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{said}\n")


def test_paths_alone_are_whole_and_come_by_lines_or_with_zero_bytes(filled: Home, pictures: Path) -> None:
    where = ("--where", "name=1.png")
    assert filled.run("search", *where, "--paths").stdout == f"{pictures / '1.png'}\n"
    copies = [str(pictures / "1.png"), str(pictures / "below" / "<b>copy & 'q'.png")]
    assert filled.run("duplicates", "-0").stdout == "".join(f"{path}\0" for path in copies)
    large = filled.run("similar", str(pictures / "1.png"), "-n", "1", "--print0").stdout
    assert large == f"{pictures / 'below' / 'large.png'}\0"
    (row,) = filled.json("search", *where)["results"]
    assert row["path"] == str(pictures / "1.png")
    assert row["modified_at"].startswith("20")


def test_results_by_facts_come_in_the_order_that_is_asked_for_and_in_pages(filled: Home) -> None:
    every = ("search", "--where", "bytes>0")
    whole = names(filled.json(*every, "--sort", "name")["results"])
    assert whole == sorted(whole, key=str.casefold)
    assert len(whole) == 8
    assert names(filled.json(*every, "--sort", "-name")["results"]) == whole[::-1]
    assert names(filled.json(*every, "--sort", "name", "-n", "3", "--offset", "2")["results"]) == whole[2:5]
    assert names(filled.json(*every, "--sort", "taken")["results"])[0] == "canon.jpg"
    sizes = [row["bytes"] for row in filled.json(*every, "--sort", "-bytes")["results"]]
    assert sizes == sorted(sizes, reverse=True)
    assert filled.json(*every, "--offset", "5000")["results"] == []


def test_the_most_alike_come_in_pages_and_may_be_shown_in_another_order(filled: Home, pictures: Path) -> None:
    like = ("search", "--image", str(pictures / "1.png"))
    whole = names(filled.json(*like, "-n", "8")["results"])
    assert names(filled.json(*like, "-n", "3", "--offset", "4")["results"]) == whole[4:7]
    assert names(filled.json(*like, "-n", "4", "--sort", "name")["results"]) == sorted(whole[:4], key=str.casefold)
    assert names(filled.json(*like, "-n", "4", "--sort", "-score")["results"]) == whole[:4][::-1]


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
        (("similar", "/dev/null"), "error: /dev/null is no regular file: name a picture."),
        (("search", "x", "--sort", "colour"), "error: 'colour' is no order: take score, taken, name, bytes"),
        (("search", "--where", "iso>1", "--sort", "score"), "error: Facts alone have no score"),
        (("search", "--where", "sha256=abc"), "'abc' is no SHA-256, which has 64 hexadecimal digits"),
        (("search", "--where", "root=nowhere/below"), "nowhere/below, and only a folder that is gone may be named"),
        (("duplicates", "--near", "abc"), "error: Invalid value for '--near': 'abc' is no number. See: "),
        (("prune", "s3://bucket/x"), "error: s3://bucket/x is no folder of this machine, and prune looks at"),
        (("watch", "s3://bucket/x"), "error: s3://bucket/x cannot be watched: name a folder of this machine."),
        (("similar", "README.md"), "README.md cannot be searched by: its content is not a picture format"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(filled: Home, arguments: tuple[str, ...], sentence: str) -> None:
    done = filled.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_empty_file_is_called_empty(filled: Home, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    done = filled.run("similar", str(tmp_path / "empty.jpg"))
    assert done.stderr == f"error: {tmp_path / 'empty.jpg'} cannot be used: the file is empty.\n"


def test_several_sources_are_one_job_and_an_archive_is_found_by_its_name(
    filled: Home, pictures: Path, tmp_path: Path
) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", 100 + number)
    (tmp_path / "more").mkdir()
    save(tmp_path / "more" / "3.png", 103)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.write(tmp_path / "2.png", "inner/2.png")
    named = [str(tmp_path / "[01].png"), str(tmp_path / "more"), str(tmp_path / "pictures.zip")]
    done = filled.json("ingest", *named)
    assert (done["exit"], done["total"], done["stored"], done["sources"]) == (0, 4, 4, named)
    latest = filled.json("jobs", "-n", "1")["jobs"][0]
    assert (latest["job"], latest["sources"], latest["total"]) == (done["job"], named, 4)
    assert latest["root"] == f"{tmp_path}, {tmp_path / 'more'}, {tmp_path / 'pictures.zip'}"
    inside = filled.json("search", "--where", f"root={tmp_path / 'pictures.zip'}")["results"]
    assert [(row["name"], row["path"]) for row in inside] == [("2.png", None)]
    roots = {row["root"] for row in filled.json("search", "--where", f"root={tmp_path}", "-n", "20")["results"]}
    assert roots == {tmp_path.as_uri(), (tmp_path / "more").as_uri()}
    filled.json("forget", str(tmp_path))


def test_an_export_can_be_piped(filled: Home) -> None:
    # By processes of their own, for what is written are bytes.
    rows = [json.loads(line) for line in Home.run(filled, "export", "-").stdout.splitlines()]
    assert {"id", "uri", "sha256", "modified_at"} <= rows[0].keys()
    table = Home.run(filled, "export", "-", "--form", "csv", "--where", "camera=Canon*").stdout.splitlines()
    assert (table[0][:7], len(table)) == ("id,uri,", 2)
    done = Home.run(filled, "export", "a.csv", "--form", "csv")
    assert (done.returncode, done.stdout) == (2, "")


def test_stats_tell_months_and_the_folders_that_pictures_are_in(filled: Home, pictures: Path) -> None:
    found = filled.json("stats")
    assert (found["years"], found["months"]) == ({"2024": 1}, {"2024-05": 1})
    assert found["subfolders"] == {str(pictures): 6, str(pictures / "below"): 2}
    assert f"subfolders\t2\t{pictures / 'below'}" in filled.run("stats").stdout.splitlines()
