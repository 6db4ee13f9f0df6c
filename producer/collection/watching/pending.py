"""Paths that have changed, held back until they are at rest: a file that is being written is not yet a picture."""

import os
import time
from collections.abc import Iterator

Look = tuple[int, int, int] | None


class Pending:
    """Paths below a watched folder, each with how it looked last and since when it has looked so."""

    def __init__(self, settle_seconds: float) -> None:
        self.settle_seconds = settle_seconds
        self._paths: dict[bytes, tuple[Look, float]] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: bytes) -> bool:
        return path in self._paths

    def add(self, path: bytes) -> None:
        """A path that has changed; it has to come to rest anew."""
        self._paths[path] = _look(path), time.monotonic()

    def take_rested(self) -> list[bytes]:
        """Remove and return the paths whose size and time have not changed for a while, in order."""
        return sorted(self._rested())

    def _rested(self) -> Iterator[bytes]:
        now = time.monotonic()
        for path, (before, since) in list(self._paths.items()):
            look = _look(path)
            if look != before:
                # A drive that tells of no writing, or tells of it late.
                self._paths[path] = look, now
            elif now - since >= self.settle_seconds:
                del self._paths[path]
                yield path


def _look(path: bytes) -> Look:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
