"""Makes writes to an embedded collection durable at the price of its write-ahead log alone."""

import os
from pathlib import Path

from workers.storage.edge_folder import sync_folder


class WriteAheadLog:
    """The log of a shard in `folder`.

    The engine writes every operation to its log before it applies it, and replays the log when it loads a shard, but
    only its flush() brings anything to disk, with some 190 fsyncs for our payload indexes: 0.7 s a batch on a disk that
    takes 4 ms for one. Syncing the log itself is as durable, as it is on a Qdrant server, and takes a few milliseconds.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced: set[str] = set()

    def sync(self) -> None:
        """Bring every operation in the log to disk. No operation may run meanwhile."""
        names = {name for name in os.listdir(self._folder) if not name.startswith(".")}
        for name in names:
            # A segment that is full is renamed and never written again.
            if name.startswith("open-") or name not in self._synced:
                descriptor = os.open(self._folder / name, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        if names != self._synced:
            sync_folder(self._folder)
        self._synced = names
