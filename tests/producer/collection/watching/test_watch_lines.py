"""What a person reads while a folder is watched."""

import re
from typing import Any

from producer.collection.watching.watch import lines_of

NOTHING: dict[str, Any] = {
    "event": "change",
    "stored": 0,
    "reused": 0,
    "failed": 0,
    "removed": 0,
    "kept": None,
    "failures": [],
    "job": None,
    "seconds": 0.1,
}


def lines(**found: Any) -> list[str]:
    return [re.sub(r"^\d\d:\d\d:\d\d", "12:00:00", line) for line in lines_of({**NOTHING, **found})]


def test_the_beginning_says_how_it_watches() -> None:
    assert lines(event="watching", folder="/p", polling=None) == ["Watching /p; Ctrl-C ends it."]
    assert lines(event="watching", folder="/p", polling="nfs4") == [
        "Watching /p by looking every few seconds (nfs4); Ctrl-C ends it."
    ]


def test_a_batch_is_one_line() -> None:
    assert lines(stored=1200, reused=3, removed=2) == [
        "12:00:00  1,200 stored (3 of them reused, without a model), 2 removed"
    ]
    assert lines(removed=1) == ["12:00:00  1 removed"]


def test_failures_are_named_and_many_are_counted() -> None:
    failures = [{"uri": "file:///p/%C3%A4.png", "reason": "the file is empty"}]
    assert lines(failed=3, failures=failures, job="j1") == [
        "12:00:00  3 failed",
        "          /p/ä.png: the file is empty",
        "          … and 2 more: python -m producer errors j1",
    ]


def test_what_is_kept_for_safety_is_told() -> None:
    assert lines(kept="5 files seem to be gone and were kept: /p is empty") == [
        "12:00:00  5 files seem to be gone and were kept: /p is empty"
    ]


def test_a_folder_that_is_away_is_told() -> None:
    (line,) = lines(event="away", folder="/p")
    assert line == "12:00:00  /p is not there; waiting for it, and keeping what the collection holds."
