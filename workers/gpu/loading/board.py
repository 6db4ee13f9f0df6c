"""What loader processes write down for each other and for their GPU worker, in memory that all of them see.

Which file each is at, so that its death or its silence names a file; and how many pixels each decodes, which together
are within one limit. A row is written by its own loader alone; to compare rows the board is locked by the kernel, which
lets go of the lock of a process that dies.
"""

import fcntl
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

# The cells of a row, 8 bytes each: the place of its file in the request plus one, 0 between files; a number that grows
# with each file; the pixels that it has taken; since when it waits for pixels, 0 if it does not.
PLACE, NUMBER, PIXELS, WAITS = range(4)
ROW = 4
CELL_BYTES = 8
# So often a loader that waits for pixels looks: they are given back without a word.
LOOK_SECONDS = 0.005


def shared_file(name: str) -> int:
    """The descriptor of a new file in memory, of no bytes, which ends with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Board:
    """The rows of some loaders, all zero at first; `descriptor` is that of its file, which children open as well."""

    def __init__(self, loaders: int, descriptor: int | None = None) -> None:
        self.loaders = loaders
        length = loaders * ROW * CELL_BYTES
        if descriptor is None:
            descriptor = shared_file("darkroom-board")
            os.ftruncate(descriptor, length)
            weakref.finalize(self, os.close, descriptor)
        self.descriptor = descriptor
        self._cells = memoryview(mmap.mmap(descriptor, length)).cast("q")

    def get(self, loader: int, cell: int) -> int:
        """A cell of a loader's row."""
        return self._cells[loader * ROW + cell]

    def set(self, loader: int, cell: int, value: int) -> None:
        """Write a cell."""
        self._cells[loader * ROW + cell] = value

    def clear(self, loader: int) -> None:
        """Forget what a loader wrote that is dead."""
        for cell in range(ROW):
            self.set(loader, cell, 0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Inside this context no other process compares rows."""
        fcntl.lockf(self.descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)


class SharedPixels:
    """The PixelBudget of one loader process, which has one thread: first come, first served, as MemoryBudget is."""

    def __init__(self, board: Board, loader: int, limit: int) -> None:
        self._board = board
        self._loader = loader
        self._limit = limit

    def try_take(self, size: int) -> bool:
        """Take so many if they fit and nobody waits for more; False if they do not."""
        with self._board.locked():
            return self._take(size, float("inf")) if not self._others(WAITS) else False

    def take(self, size: int) -> None:
        """Wait until so many fit, and take them; what alone is larger than the limit passes alone."""
        since = time.monotonic_ns()
        self._board.set(self._loader, WAITS, since)
        while True:
            with self._board.locked():
                if self._take(size, since):
                    return
            time.sleep(LOOK_SECONDS)

    def give_back(self, size: int) -> None:
        """Give back what was taken; this loader takes for one picture at a time."""
        if size:
            self._board.set(self._loader, PIXELS, 0)

    def _take(self, size: int, since: float) -> bool:
        taken = sum(self._others(PIXELS))
        if (taken and taken + size > self._limit) or min(self._others(WAITS), default=since) < since:
            return False
        self._board.set(self._loader, PIXELS, size)
        self._board.set(self._loader, WAITS, 0)
        return True

    def _others(self, cell: int) -> list[int]:
        values = (self._board.get(loader, cell) for loader in range(self._board.loaders) if loader != self._loader)
        return [value for value in values if value]


class WatchedFile:
    """The TimeLimit of a file in a loader process: it writes down which file it is at, and its GPU worker looks.

    `seconds` is how long it took, waiting not included.
    """

    def __init__(self, board: Board, loader: int, place: int) -> None:
        self._board = board
        self._loader = loader
        self._place = place
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._board.set(self._loader, NUMBER, self._board.get(self._loader, NUMBER) + 1)
        self._board.set(self._loader, PLACE, self._place + 1)
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started
        self._board.set(self._loader, PLACE, 0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside this context, which lies inside this one, no time passes; afterwards it begins anew."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
