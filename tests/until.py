"""Waiting for what other processes do: until it is so, with a limit only for what never happens."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
LIMIT = 60.0


def until(question: Callable[[], T | None], what: str) -> T:
    """The first true answer to `question`; fails the test, naming `what`, when there is none for a whole minute."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {LIMIT:g} s in vain for {what}")


def is_alive(pid: int) -> bool:
    """True while the process runs; one that has ended and only waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def files_below(folder: Path) -> list[Path]:
    """What is left in `folder`, or nothing when it is gone."""
    return sorted(folder.rglob("*")) if folder.exists() else []
