"""Whatever bytes a command line holds and whatever an output can write: commands work, or end in one sentence."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from PIL import Image

from producer.__main__ import main
from tests.e2e.conftest import Home
from tests.e2e.in_process import stack_without_models
from tests.pictures.made.described import xmp

pytestmark = pytest.mark.e2e

NO_TEXT = "caf\udce9"  # as Python gives the bytes of Latin-1
NFD = "Cafe\u0301"


@dataclass(frozen=True)
class Filled:
    """A home whose stack is up, and its folder of pictures, two of which have names that are no UTF-8."""

    home: Home
    folder: Path
    job: str

    def run(self, *arguments: str, encoding: str = "utf-8") -> "subprocess.CompletedProcess[str]":
        """A command in this process, whose output has this encoding; it must end as commands do."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
        with (
            patch.object(sys, "argv", ["producer", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        # Where an output takes ASCII alone, click writes its own lines in UTF-8.
        told = [stream.buffer.getvalue().decode(encoding, "replace") for stream in (out, err)]
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *told)

    def names(self, *arguments: str) -> list[str]:
        """The names of the pictures that a command finds."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return [row["name"] for row in json.loads(done.stdout)["results"]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("pictures")
    names = (f"{NO_TEXT}.png", f"{NFD}.png", "京都.png", "plain.png")
    for number, name in enumerate(names):
        title = f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{Path(name).stem}の紅葉</rdf:li></rdf:Alt></dc:title>'
        packet = b"" if number == 0 else xmp(title)
        Image.new("RGB", (16, 16), (60 * number, 99, 9)).save(folder / "x.jpg", xmp=packet)
        (folder / "x.jpg").rename(folder / name)
    (folder / "broken 京都.jpg").write_bytes(b"no picture")
    shutil.copytree(folder, folder / f"below {NO_TEXT}")
    with stack_without_models(tmp_path_factory.mktemp("filled"), redis_process) as home:
        done = home.json("ingest", str(folder))
        assert (done["stored"], done["failed"]) == (8, 2)
        yield Filled(home, folder, done["job"])


def test_a_picture_whose_name_is_no_text_is_found_and_searched_by(filled: Filled, tmp_path: Path) -> None:
    stored = filled.folder / f"{NO_TEXT}.png"
    assert len(filled.names("similar", str(stored))) == 6
    other = tmp_path / f"{NO_TEXT} other.png"
    Image.new("RGB", (9, 9), (1, 2, 3)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(other)
    assert len(filled.names("similar", str(other))) == 8
    assert len(filled.names("search", "--image", str(other))) == 8
    other.write_bytes(b"no picture")
    refused = filled.run("search", "--image", str(other))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("its content is not a picture format that Darkroom reads.\n")


def test_what_is_asked_in_one_form_is_found_in_the_other(filled: Filled) -> None:
    for form in ("Café", NFD):
        assert filled.names("search", "--where", f"name={form}.png") == ["Café.png"] * 2
        assert filled.names("search", "--where", f"title:{form}") == ["Café.png"] * 2
    assert filled.names("search", "--where", f"name={NO_TEXT}*") == ["caf\ufffd.png"] * 2
    assert filled.names("search", "--where", "title:京都") == ["京都.png"] * 2
    assert len(filled.names("search", "--where", f"root={filled.folder / f'below {NO_TEXT}'}")) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", NO_TEXT),
        ("search", "--where", f"camera={NO_TEXT}"),
        ("search", "--where", f"title:{NO_TEXT}"),
        ("search", "--where", f"{NO_TEXT}=1"),
        ("search", "--where", NO_TEXT),
        ("search", "--where", f"root=zip://{NO_TEXT}"),
        ("search", "--image", f"/nowhere/{NO_TEXT}"),
        ("similar", f"/nowhere/{NO_TEXT}"),
        ("similar", "plain.png", "--where", f"sha256={NO_TEXT}"),
        ("duplicates", "--where", f"keywords={NO_TEXT}"),
        ("search", "x", "--html", f"/nowhere/{NO_TEXT}.html"),
        ("search", "x", "--html", f"{NO_TEXT}"),
        ("status", NO_TEXT),
        ("errors", NO_TEXT),
        ("retry", NO_TEXT),
        ("report", NO_TEXT),
        ("report", NO_TEXT, "--csv", "-"),
        ("ingest", f"/nowhere/{NO_TEXT}"),
        ("ingest", f"s3://{NO_TEXT}"),
        ("ingest", f"gopher://{NO_TEXT}"),
        ("watch", f"/nowhere/{NO_TEXT}"),
        ("prune", f"/nowhere/{NO_TEXT}"),
        ("export", f"{NO_TEXT}"),
        ("export", f"/nowhere/{NO_TEXT}.csv"),
        ("map", f"/nowhere/{NO_TEXT}.html"),
        ("move", "--to", f"http://{NO_TEXT}"),
        (NO_TEXT,),
    ],
)
def test_bytes_that_cannot_be_meant_end_in_a_sentence(filled: Filled, arguments: tuple[str, ...]) -> None:
    done = filled.run(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].lower().startswith("error: ")


def test_files_are_written_under_names_that_are_no_text(filled: Filled, tmp_path: Path) -> None:
    for name, arguments in {
        "page.html": ("search", "--where", "title:京都", "--html"),
        "alike.html": ("similar", str(filled.folder / f"{NO_TEXT}.png"), "--html"),
        "map.html": ("map",),
        "all.csv": ("export",),
        "all.parquet": ("export",),
        "all.jsonl": ("export",),
        "report.csv": ("report", filled.job, "--csv"),
    }.items():
        file = tmp_path / f"{NO_TEXT} {name}"
        for output in ((), ("--json",)):
            done = filled.run(*arguments, str(file), *output)
            assert done.returncode == 0, done.stderr
            assert file.stat().st_size > 0
        assert json.loads(done.stdout)


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
def test_what_the_output_cannot_write_ends_no_command(filled: Filled, encoding: str, tmp_path: Path) -> None:
    uris = set()
    for arguments in (
        ("stats",),
        ("search", "--where", "has:title"),
        ("similar", str(filled.folder / "京都.png")),
        ("duplicates",),
        ("status",),
        ("jobs",),
        ("errors", filled.job),
        ("report", filled.job, "--csv", "-"),
        ("ingest", str(filled.folder)),
        ("prune", str(filled.folder / f"below {NO_TEXT}"), "--dry-run"),
        ("forget", str(filled.folder / f"below {NO_TEXT}"), "--dry-run"),
    ):
        plain = filled.run(*arguments, encoding=encoding)
        assert plain.returncode == 0, plain.stderr
        assert plain.stdout or plain.stderr
        if "-" not in arguments:
            done = filled.run(*arguments, "--json", encoding=encoding)
            found = json.loads(done.stdout)
            uris |= {row["title"] for row in found.get("results", ()) if "title" in row}
    assert "京都の紅葉" in uris
    refused = filled.run("search", "--where", "título:京都", encoding=encoding)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
