"""Lines of a log: they name worker, job and file, and hold no secret."""

import json
import logging
import threading
from pathlib import Path

import pytest

from settings import load_settings
from settings.redaction import secrets_of, without
from tasks.stack import paths as stack_paths
from tasks.stack.paths import error_line, last_line
from tests.own_settings import own_settings
from workers.logs import SAME_LINES, SAME_SECONDS, Lines, Repeats, _begin, _end, about_file, cut, json_line

SECRETS = """
[broker]
url = "redis://me:pa55%21broker@cache:6379/0"
[qdrant]
url = "https://me:pa55-qdrant@store:6333"
api_key = "pa55-key"
[flower]
basic_auth = "me:pa55-flower"
"""


def record(message: str, error: Exception | None = None) -> logging.LogRecord:
    found = (type(error), error, None) if error else None
    return logging.LogRecord("darkroom.gpu", logging.WARNING, "x.py", 1, message, (), found)


def test_a_line_for_people_names_worker_job_and_file() -> None:
    _begin(kwargs={"job": "20260131-142501-9f3a"})
    with about_file("file:///p/a%20b.jpg"):
        line = Lines("gpu0@host", False, []).format(record("the file is empty"))
    _end()
    assert line.endswith(" WARNING gpu0@host job 20260131-142501-9f3a file:///p/a%20b.jpg: the file is empty")
    assert Lines("gpu0@host", False, []).format(record("ready")).endswith(" WARNING gpu0@host: ready")


def test_a_line_for_machines_is_one_object_with_the_same_names() -> None:
    _begin(kwargs={"job": "20260131-142501-9f3a"})
    with about_file("file:///p/a.jpg"):
        line = Lines("gpu0@host", True, []).format(record("two\nlines", ValueError("what\nhappened")))
    _end()
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert "ValueError: what\nhappened" in found.pop("traceback")
    assert found == {
        "level": "WARNING",
        "worker": "gpu0@host",
        "job": "20260131-142501-9f3a",
        "file": "file:///p/a.jpg",
        "message": "two\nlines",
    }


def test_threads_do_not_speak_of_each_others_files() -> None:
    said: list[str] = []
    with about_file("file:///p/a.jpg"):
        other = threading.Thread(target=lambda: said.append(Lines("gpu0@host", True, []).format(record("x"))))
        other.start()
        other.join()
    assert json.loads(said[0])["file"] == ""


def test_no_secret_of_the_settings_gets_into_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = secrets_of(own_settings(tmp_path, monkeypatch, SECRETS))
    load_settings.cache_clear()
    assert sorted(secrets) == ["pa55!broker", "pa55%21broker", "pa55-flower", "pa55-key", "pa55-qdrant"]
    told = "cannot reach redis://me:pa55%21broker@cache, pa55!broker, https://me:pa55-qdrant@store with pa55-key"
    for for_machines in (False, True):
        line = Lines("gpu0@host", for_machines, secrets).format(record(told, ValueError(told)))
        assert "pa55" not in line
        assert "https://me:***@store" in line
    assert without([], told) == told


def test_what_a_child_said_last_is_found_in_a_log_for_machines_too(tmp_path: Path) -> None:
    log = tmp_path / "gpu0.log"
    log.write_text(
        json_line("ERROR", "workers@host", "error: There is no model.")
        + "\n"
        + json_line("INFO", "x", "the end")
        + "\n"
    )
    assert error_line(log) == "There is no model."
    assert last_line(log) == "the end"
    log.write_text('{"message"\n')
    assert last_line(log) == '{"message"'


def written(repeats: Repeats, *records: logging.LogRecord) -> list[str]:
    return [each.getMessage() for each in records if repeats.filter(each)]


def test_the_same_line_from_many_threads_is_counted_and_not_written() -> None:
    repeats = Repeats()
    storm = [record("a message of another release") for _ in range(2000)]
    said = written(repeats, *storm)
    assert len(said) == SAME_LINES
    assert said[0] == "a message of another release"
    assert said[-1] == "a message of another release (from now on this line is counted for a while)"
    later = record("a message of another release")
    later.created += SAME_SECONDS + 1
    assert written(repeats, later) == ["a message of another release (this line came 1,995 times more)"]


def test_the_id_of_a_task_makes_no_other_line() -> None:
    ids = [f"Task darkroom.process_files[{n:08x}-0000-4000-8000-000000000000] raised" for n in range(100)]
    assert len(written(Repeats(), *(record(text, ValueError(text)) for text in ids))) == SAME_LINES


def test_lines_about_other_files_are_all_written() -> None:
    repeats, said = Repeats(), []
    for number in range(3000):
        with about_file(f"file:///p/{number}.jpg"):
            said += written(repeats, record("the file is empty"))
    assert said == ["the file is empty"] * 3000


def test_a_log_is_cut_while_it_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_paths, "MAX_LOG_BYTES", 10)
    log = tmp_path / "some.log"
    assert not cut(log)
    with log.open("ab", buffering=0) as writer:
        writer.write(b"short\n")
        assert not cut(log)
        writer.write(b"longer than that\n")
        assert cut(log)
        writer.write(b"new\n")
    assert log.read_text() == "new\n"
    assert (tmp_path / "some.log.1").read_text() == "short\nlonger than that\n"
