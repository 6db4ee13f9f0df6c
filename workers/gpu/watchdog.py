"""A time limit for loading a file: a decoder that hangs cannot be stopped, but its process can be ended."""

import logging
import os
import threading
import time
from collections.abc import Callable
from itertools import count

log = logging.getLogger("darkroom.gpu")

CHECK_SECONDS = 0.5


def end_process() -> None:
    """End this process at once; the supervisor starts another one, and what this one held is delivered again."""
    os._exit(70)


class Watchdog:
    """Watches work that may hang.

    When some has run for longer than `seconds`, its own `give_up` is called, which notes who is to blame, and then
    `end`: the neighbours in flight are delivered to the next process, the one at fault is not tried again.
    """

    def __init__(self, seconds: float, end: Callable[[], None] = end_process) -> None:
        self.seconds = seconds
        self._end = end
        self._closed = threading.Event()
        self._numbers = count()
        self._watched: dict[int, tuple[float, Callable[[], None]]] = {}
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def watch(self, give_up: Callable[[], None]) -> int:
        """Watch what begins now; returns the number by which `done` calls it."""
        number = next(self._numbers)
        self._watched[number] = time.monotonic() + self.seconds, give_up
        return number

    def done(self, number: int) -> None:
        """Say that it has ended."""
        self._watched.pop(number, None)

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(min(CHECK_SECONDS, self.seconds / 2)):
            now = time.monotonic()
            late = [entry for entry in list(self._watched.values()) if entry[0] < now]
            for _, give_up in late:
                try:
                    give_up()
                except Exception:  # the process must end even when the note cannot be written
                    log.exception("a file that hangs could not be noted")
            if late:
                self._end()
                return
