"""What a child said last, and logs that do not grow for ever."""

from pathlib import Path

import pytest

from tasks.stack import paths as stack_paths
from tasks.stack.paths import error_line, last_line, rotate


def test_the_last_error_behind_the_start_is_found_among_other_lines(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("error: old\n")
    start = rotate(log)
    assert (error_line(log, start), last_line(log, start)) == ("", "")
    with log.open("a") as file:
        file.write("error: first\nerror: second ü\nTraceback\n\n")
    assert error_line(log, start) == "second ü"
    assert last_line(log, start) == "Traceback"


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_bytes(b"\xff\xfe" * 50_000 + b"\nerror: here\n")
    assert error_line(log) == "here"


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert (rotate(tmp_path / "x"), error_line(tmp_path / "x")) == (0, "")


def test_an_overlong_log_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_paths, "MAX_LOG_BYTES", 10)
    log = tmp_path / "some.log"
    log.write_text("longer than that")
    assert rotate(log) == 0
    assert not log.exists()
    assert (tmp_path / "some.log.1").read_text() == "longer than that"


def test_a_log_that_was_cut_meanwhile_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("error: new\n")
    assert error_line(log, start=10_000) == "new"
