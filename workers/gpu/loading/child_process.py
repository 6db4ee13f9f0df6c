"""The process behind a loader: how it starts and starts again, how it is asked, and what it died or hangs of."""

import logging
import pickle
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from settings import Settings
from settings.child_commands import child_command, child_environment
from workers.gpu.loading.board import NUMBER, PLACE, Board
from workers.gpu.loading.wire import packed, unpacked

log = logging.getLogger("darkroom.gpu")

LOOK_SECONDS = 0.5
# A loader that dies so often in a row, and at no file, does not work at all.
MOST_DEATHS = 3
END_SECONDS = 5.0


class LoaderDied(Exception):
    """A loader process is gone: `place` is that of the file that it was at in its request, None if it was at none."""

    def __init__(self, place: int | None, how: str, hangs: bool) -> None:
        super().__init__(how)
        self.place = place
        self.how = how
        self.hangs = hangs


class ChildProcess:
    """The process of loader `number`, started when it is first asked; it has the files `slots` and `board` open.

    It is killed when it is at one file for longer than ingest.load_seconds. `on_failed` gets a sentence when it cannot
    work at all.
    """

    def __init__(
        self,
        settings: Settings,
        keeps_thumbnails: bool,
        number: int,
        board: Board,
        slots: int,
        on_failed: Callable[[str], None],
    ) -> None:
        self._told = pickle.dumps((settings, keeps_thumbnails))
        self._seconds = settings.ingest.load_seconds
        self._number = number
        self._board = board
        self._slots = slots
        self._on_failed = on_failed
        self._deaths = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._closed = False

    def start(self) -> None:
        """Start the process unless it runs; it says nothing until it is asked."""
        with self._lock:
            self._start()

    def ask(self, request: Sequence[Any], reserve: Callable[[int, int], bool]) -> list[bytes | None]:
        """The answers to one request; `reserve` is asked whether the file at a place may take so many bytes.

        Raises LoaderDied, and CancelledError where no loader can work.
        """
        with self._lock:
            try:
                connection = self._start()
                connection.send_bytes(packed(request))
                while True:
                    self._wait(connection)
                    kind, *answer = unpacked(connection.recv_bytes())
                    if kind == "done":
                        self._deaths = 0
                        answers: list[bytes | None] = answer[0]
                        return answers
                    connection.send_bytes(packed(reserve(*answer)))
            except (EOFError, OSError):
                raise self._died(hangs=False) from None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed = True
            self._end()

    def _start(self) -> Connection:
        if self._closed:
            raise CancelledError
        if self._connection is None:
            ours, theirs = socket.socketpair()
            files = theirs.fileno(), self._slots, self._board.descriptor
            numbers = map(str, (*files, self._number, self._board.loaders))
            with theirs:
                self._process = subprocess.Popen(
                    child_command("workers.gpu.loading.child", *numbers),
                    env=child_environment(),
                    stdin=subprocess.DEVNULL,
                    pass_fds=files,
                )
            self._connection = Connection(ours.detach())
            self._connection.send_bytes(self._told)
        return self._connection

    def _wait(self, connection: Connection) -> None:
        """Return when there is something to receive; raises LoaderDied if the loader hangs at a file.

        Time in which this process stood still (paused, or the machine asleep) does not count.
        """
        number, elapsed, looked = -1, 0.0, time.monotonic()
        while not connection.poll(LOOK_SECONDS):
            now = time.monotonic()
            elapsed += min(now - looked, 4 * LOOK_SECONDS)
            looked = now
            if not self._board.get(self._number, PLACE) or self._board.get(self._number, NUMBER) != number:
                number, elapsed = self._board.get(self._number, NUMBER), 0.0
            elif elapsed > self._seconds:
                raise self._died(hangs=True)

    def _died(self, hangs: bool) -> LoaderDied:
        place = self._board.get(self._number, PLACE) - 1
        code = self._end()
        how = "hangs" if hangs else f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        if place < 0:
            self._deaths += 1
            log.warning("loader %d %s; it is started again", self._number, how)
            if self._deaths >= MOST_DEATHS:
                self._on_failed(f"The loaders of this worker do not work: number {self._number} {how}, see the log.")
                raise CancelledError
        return LoaderDied(place if place >= 0 else None, how, hangs)

    def _end(self) -> int:
        code = 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            # Closed alone it ends as well, but one that hangs in native code may not.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
            self._process.kill()
            code = self._process.wait(END_SECONDS)
            self._process = None
        self._board.clear(self._number)
        return code
