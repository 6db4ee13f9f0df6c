"""A shard of the embedded engine whose writes are on disk when they are acknowledged, and which can be made anew."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock

import qdrant_edge as edge

from workers.storage.embedded.compaction import Compaction, is_worth_it
from workers.storage.embedded.folder import CollectionFolder, sync_folder

# Replaying this many points when a shard is loaded takes about a second.
POINTS_BETWEEN_FLUSHES = 16_384
log = logging.getLogger(__name__)


class DurableShard:
    """The shard of the collection in `folder`, read by `engine` and written by `write`; who calls holds a lock.

    `reserve` bytes of the disk stay free while the shard is made anew.
    """

    def __init__(self, folder: CollectionFolder, reserve: int) -> None:
        self.engine = folder.load()
        self.unflushed = 0
        self._folder, self._reserve = folder, reserve
        self._log = WriteAheadLog(folder.shard / "wal")
        self._compaction: Compaction | None = None
        # Writes what loading has replayed: else the log of a process that is killed again and again grows for ever.
        self.flush()

    def write(self, operation: edge.UpdateOperation, points: int) -> Callable[[], None]:
        """Apply an operation on so many points; call what is returned without the lock: it waits for the disk."""
        self.engine.update(operation)
        # Without the lock searches need not wait for the disk, and writes that wait share one sync.
        on_disk = partial(self._log.sync, self._log.count_operation())
        self.unflushed += points
        if self.unflushed >= POINTS_BETWEEN_FLUSHES:
            self.flush()
        self.compact(operation)
        return on_disk

    def maintain(self) -> bool:
        """The upkeep of an idle moment, or a step of it; False when there is nothing more to do."""
        if self.unflushed:
            self.flush()
        return self.compact()

    def flush(self) -> None:
        """Write everything to disk, so that nothing has to be replayed."""
        self.engine.flush()
        self.unflushed = 0
        if self._compaction is None and self._folder.may_compact and is_worth_it(self.engine, self._folder.shard):
            self.compact(begin=True)

    def compact(self, operation: edge.UpdateOperation | None = None, begin: bool = False) -> bool:
        """Go on with a new shard without the places of deleted points, which takes what is written, too.

        Returns False when there is nothing more to do. What hinders it ends it and nothing else.
        """
        if self._compaction is None and not begin:
            return False
        in_use = self._folder.shard
        try:
            self._folder.require_space(self._reserve)
            if self._compaction is None:
                self._compaction = Compaction(*self._folder.create_shard())
            if operation is not None:
                self._compaction.shard.update(operation)
            if not self._compaction.step(self.engine):
                return True
            self._take_over(self._compaction)
        except BaseException as error:  # panics of the engine are no Exception
            if self._folder.shard != in_use or isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            log.warning("The places of deleted points are kept until the next start: %s", error)
            self._give_up()
        return False

    def close(self) -> None:
        """Write everything to disk and end."""
        self._give_up()
        self.engine.close()  # which flushes

    def _take_over(self, compaction: Compaction) -> None:
        compaction.finish()
        self._folder.use(compaction.folder)
        # Whatever fails from here on, the next start finds the new shard, so all is written there.
        old, self.engine, self._compaction = self.engine, compaction.shard, None
        old_log, self._log = self._log, WriteAheadLog(compaction.folder / "wal")
        self.unflushed = 0
        sync_folder(self._folder.path)
        # Whoever waits for the old log has what he waits for in the new shard.
        old_log.end()
        old.close()
        self._folder.remove_other_shards()

    def _give_up(self) -> None:
        self._folder.may_compact = False
        self._compaction = None
        self._folder.remove_other_shards()


class WriteAheadLog:
    """The log of a shard in `folder`.

    The engine writes every operation to its log before it applies it, and replays the log when it loads a shard. But
    only its flush() syncs to disk, with some 190 fsyncs for our payload indexes: 0.7 s a batch on a disk that takes
    4 ms for one. Syncing only the log is as durable, and takes a few milliseconds; a Qdrant server does the same.

    The engine has no call for this, so the names of the log's files are known here: "open-*" is a segment that may
    still be written; any other file is synced once. docs/architecture.md lists the names.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced_names: set[str] = set()
        self._lock = Lock()
        self._written = self._synced = 0

    def count_operation(self) -> int:
        """Call it after each operation, in their order; returns the number of the operation, for `sync`."""
        self._written += 1
        return self._written

    def sync(self, number: int) -> None:
        """Return when operation `number` is on disk; callers that wait at the same time share one sync."""
        with self._lock:
            if self._synced >= number:
                return
            written = self._written
            while not self._sync_files():
                pass
            self._synced = written

    def end(self) -> None:
        """What was written is on disk elsewhere, and the log may be removed."""
        with self._lock:
            self._synced = self._written

    def _sync_files(self) -> bool:
        """Write the whole log to disk; False if one of its files was renamed or removed meanwhile."""
        names = {name for name in os.listdir(self._folder) if not name.startswith(".")}
        for name in names:
            # A full segment is renamed and never written again.
            if name.startswith("open-") or name not in self._synced_names:
                try:
                    descriptor = os.open(self._folder / name, os.O_RDONLY)
                except FileNotFoundError:
                    return False
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        if names != self._synced_names:
            sync_folder(self._folder)
        self._synced_names = names
        return True
