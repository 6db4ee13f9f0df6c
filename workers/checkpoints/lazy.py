"""What is loaded when somebody first asks for it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
# Gets what is done ("downloading openai/clip-vit-base-patch32") and how far it is ("312 of 990 MB", or nothing); both
# are empty when it has ended.
Report = Callable[[str, str], None]


def silent(what: str, progress: str) -> None:
    """The report that nobody hears."""


class Lazy(Generic[T]):
    """A value that `load` makes when it is first asked for: once, however many threads ask; `report` hears of it.

    Whoever asks while it is loaded waits for it. A failure is raised to the one who asked; the next one tries again.
    """

    def __init__(self, load: Callable[[], T], what: str = "", report: Report = silent) -> None:
        self._load = load
        self._what = what
        self._report = report
        self._lock = threading.Lock()
        self._loaded: list[T] = []

    def __call__(self) -> T:
        """The value."""
        if not self._loaded:
            with self._lock:
                if not self._loaded:
                    self._report(self._what, "")
                    try:
                        self._loaded.append(self._load())
                    finally:
                        self._report("", "")
        return self._loaded[0]

    @property
    def is_loaded(self) -> bool:
        """Whether the value is there."""
        return bool(self._loaded)


def given(value: "T | Lazy[T]") -> T:
    """The value, loaded if it is not there yet."""
    return value() if isinstance(value, Lazy) else value
