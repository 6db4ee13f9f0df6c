"""Pictures of a polled folder that came and went between two polls: no event will ever tell of them."""

import os
from collections.abc import Iterator


class Untold:
    """The pictures that were ingested because a scan found them, and of which the polling has told nothing yet.

    A poll knows a file that it has seen. One that is new and gone again before the next poll is told of only by its
    folder, whose time of change moved on.
    """

    def __init__(self) -> None:
        self._names: dict[bytes, set[bytes]] = {}

    def add(self, path: bytes) -> None:
        """A picture that is ingested now."""
        folder, name = os.path.split(path)
        self._names.setdefault(folder, set()).add(name)

    def told(self, path: bytes) -> list[bytes]:
        """Something was told of a path: those in it, where it is a folder, that are not there any more."""
        folder, name = os.path.split(path)
        self._names.get(folder, set()).discard(name)
        gone = [each for each in self._in(path) if not os.path.lexists(each)]
        for each in gone:
            self._names[os.path.dirname(each)].discard(os.path.basename(each))
        return gone

    def _in(self, path: bytes) -> Iterator[bytes]:
        below = os.path.join(path, b"")
        for folder, names in self._names.items():
            # A folder that is still there is told of by itself.
            if folder == path or (folder.startswith(below) and not os.path.isdir(folder)):
                for name in names:
                    yield os.path.join(folder, name)
