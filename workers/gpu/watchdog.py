"""A thread that notices work which hangs."""

import logging
import threading
import time
from collections.abc import Callable
from itertools import count

log = logging.getLogger("darkroom.gpu")

CHECK_SECONDS = 0.5


class Watchdog:
    """Watches work that may hang.

    When some of it takes longer than its limit, its own `on_timeout` is called, then `exit_process`, and nothing is
    watched any more. Time in which this process stood still (paused, or the machine asleep) does not count.
    """

    def __init__(self, exit_process: Callable[[], None] = lambda: None) -> None:
        self._exit_process = exit_process
        self._closed = threading.Event()
        self._numbers = count()
        self._now = 0.0
        self._watched: dict[int, tuple[float, Callable[[], None]]] = {}
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def start(self, seconds: float, on_timeout: Callable[[], None]) -> int:
        """Watch work that begins now and may take so long; returns its number for `stop`."""
        number = next(self._numbers)
        # A look later, because a part of the time until the next look lies before this moment.
        self._watched[number] = self._now + seconds + CHECK_SECONDS, on_timeout
        return number

    def stop(self, number: int) -> None:
        """Stop watching work that has ended."""
        self._watched.pop(number, None)

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._closed.wait(CHECK_SECONDS):
            now = time.monotonic()
            self._now += min(now - looked, 4 * CHECK_SECONDS)
            looked = now
            overdue = [on_timeout for deadline, on_timeout in list(self._watched.values()) if deadline < self._now]
            for on_timeout in overdue:
                try:
                    on_timeout()
                except Exception:  # the process must end even when the failure cannot be recorded
                    log.exception("work that hangs could not be noted")
            if overdue:
                self._exit_process()
                return
