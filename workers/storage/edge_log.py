"""Makes writes to an embedded collection durable at the price of its write-ahead log alone."""

import os
from pathlib import Path
from threading import Lock

from workers.storage.edge_folder import sync_folder


class WriteAheadLog:
    """The log of a shard in `folder`.

    The engine writes every operation to its log before it applies it, and replays the log when it loads a shard, but
    only its flush() brings anything to disk, with some 190 fsyncs for our payload indexes: 0.7 s a batch on a disk that
    takes 4 ms for one. Syncing the log itself is as durable, as it is on a Qdrant server, and takes a few milliseconds.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()
        self._lock = Lock()
        self._written = self._synced = 0

    def note(self) -> int:
        """Say that an operation is in the log; returns its number. To be called in the order of the operations."""
        self._written += 1
        return self._written

    def sync(self, number: int) -> None:
        """Return when operation `number` is on disk; those who wait meanwhile share a turn. Operations may run."""
        with self._lock:
            if self._synced >= number:
                return
            written = self._written
            while not self._sync_files():
                pass
            self._synced = written

    def _sync_files(self) -> bool:
        """Bring all that is in the log to disk; False where a file was renamed or removed meanwhile."""
        names = {name for name in os.listdir(self._folder) if not name.startswith(".")}
        for name in names:
            # A segment that is full is renamed and never written again.
            if name.startswith("open-") or name not in self._names:
                try:
                    descriptor = os.open(self._folder / name, os.O_RDONLY)
                except FileNotFoundError:
                    return False
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        if names != self._names:
            sync_folder(self._folder)
        self._names = names
        return True
