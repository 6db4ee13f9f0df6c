"""File names as a person reads them, whatever is in them."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.formatting import brief, command, shown
from settings.plain_text import printable


@pytest.mark.parametrize("path", ["/a/b.jpg", "/with space/#1?.jpg", "/ä/ö 100%.jpg", "/日本/写真.png"])
def test_a_path_is_shown_as_it_is_written(path: str) -> None:
    assert shown(Path(path).as_uri()) == path


def test_bytes_that_are_no_text_become_a_sign_for_it() -> None:
    assert shown(Path(os.fsdecode(b"/caf\xe9.jpg")).as_uri()) == "/caf\N{REPLACEMENT CHARACTER}.jpg"


def test_a_name_cannot_move_the_cursor_or_colour_the_screen() -> None:
    assert "\x1b" not in shown(Path("/\x1b[31mred\r\n.jpg").as_uri())


def test_another_address_is_shown_decoded_and_an_archive_like_a_folder() -> None:
    assert shown("s3://bucket/a%20b.jpg") == "s3://bucket/a b.jpg"
    assert shown("zip://in/a%20b.jpg::file:///p/my%20pictures.zip") == "/p/my pictures.zip/in/a b.jpg"
    assert shown("zip://::file:///p/pictures.zip") == "/p/pictures.zip"
    assert shown("zip://nothing") == "zip://nothing"


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_any_name_can_be_printed(name: bytes) -> None:
    printed = shown(Path(os.fsdecode(b"/" + name)).as_uri())
    assert printed.encode("utf-8")
    assert printable(printed) == printed


def test_a_file_below_the_working_directory_is_shown_from_there_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert brief((tmp_path / "a" / "b c.jpg").as_uri()) == os.path.join("a", "b c.jpg")
    assert brief("file:///elsewhere/a.jpg") == "/elsewhere/a.jpg"


def test_a_command_to_paste_names_the_settings_file_that_this_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("ingest", "/my pictures") == "python -m producer ingest '/my pictures'"
    monkeypatch.setenv("DARKROOM_SETTINGS", "/etc/my settings.toml")
    assert command("errors", "job") == "python -m producer --settings '/etc/my settings.toml' errors job"


def test_a_command_to_paste_is_one_of_the_program_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/me/.local/bin/darkroom", "ingest", "/p"])
    assert command("errors", "job") == "darkroom errors job"
