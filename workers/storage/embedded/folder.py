"""The folder of an embedded collection: its lock, its info file, its creation and removal, and its write-ahead log."""

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from qdrant_edge import (
    DatetimeIndexParams,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    GeoIndexParams,
    IntegerIndexParams,
    KeywordIndexParams,
    Memory,
    Modifier,
    TurboQuantBitSize,
    TurboQuantQuantizationConfig,
    UpdateOperation,
)

from settings.errors import ServiceMissing
from workers.storage.catalog import INDEXES, CatalogFull, CollectionInfo
from workers.storage.ranking.bm25 import SPARSE

_SCHEMA = {
    "keyword": KeywordIndexParams,
    "integer": IntegerIndexParams,
    "datetime": DatetimeIndexParams,
    "geo": GeoIndexParams,
    "words": KeywordIndexParams,
}


class CollectionFolder:
    """`root/name`, owned by one process; raises ServiceMissing if another process owns it or it cannot be written."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / name
        # The name of a collection never begins with a dot, so this is never the folder of another one.
        self._dropped = root / f".{name}.dropped"
        try:
            root.mkdir(parents=True, exist_ok=True)
            # The engine has a lock only once a shard exists; this one also covers the creation of the shard.
            self._lock = open(root / f"{name}.lock", "w")  # noqa: SIM115  # held as long as the catalog
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise ServiceMissing(
                f"The catalog {self.path} is in use by another process: end that one or set data.dir to another folder."
            ) from error
        except OSError as error:
            raise ServiceMissing(f"The catalog {self.path} cannot be written ({error.strerror}).") from error

    def release(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def read_info(self) -> CollectionInfo | None:
        """What the collection was created for, None before it exists."""
        try:
            return CollectionInfo(**json.loads((self.path / "about.json").read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ServiceMissing(
                f"{self.path}/about.json cannot be read ({error}): restore or remove the folder."
            ) from error

    def free_bytes(self) -> int:
        """Bytes on the disk that this user may still write."""
        return shutil.disk_usage(self.path.parent).free

    def require_space(self, reserve: int) -> None:
        """Raise CatalogFull unless at least `reserve` bytes are free."""
        free = self.free_bytes()
        if free < reserve:
            raise CatalogFull(
                f"The disk of {self.path} has {free // 2**20} MiB left and the catalog keeps "
                f"{reserve // 2**20} MiB free: free some space."
            )

    def load(self) -> EdgeShard:
        """The shard, with every payload index it should have."""
        try:
            shard = EdgeShard.load(str(self.path / "shard"))
        except BaseException as error:  # the engine raises no more specific error, and its panics are no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise ServiceMissing(f"The catalog {self.path} cannot be opened ({error}).") from error
        # Left by an earlier version that was killed while it built a graph; the engine never removes them.
        shutil.rmtree(self.path / "shard" / "temp_segments", ignore_errors=True)
        _add_indexes(shard)
        # For a collection of an earlier release; where there is one already the engine keeps it.
        shard.update(UpdateOperation.create_sparse_vector(SPARSE, Modifier.Idf))
        return shard

    def create(self, info: CollectionInfo) -> None:
        """Create the collection atomically: if the process is killed meanwhile, there is none."""
        new = self.path.with_name(self.path.name + ".new")
        try:
            for leftover in (new, self._dropped):
                shutil.rmtree(leftover, ignore_errors=True)
            (new / "shard").mkdir(parents=True)
            shard = EdgeShard.create(str(new / "shard"), _config(info.dim))
            _add_indexes(shard)
            shard.flush()
            shard.close()
            with (new / "about.json").open("w") as file:
                json.dump(asdict(info), file)
                file.flush()
                os.fsync(file.fileno())
            sync_tree(new)
            new.rename(self.path)
            sync_folder(self.path.parent)
        except Exception as error:  # the engine raises no more specific error
            raise ServiceMissing(f"The catalog {self.path} cannot be made ({error}).") from error

    def remove(self) -> None:
        """Remove the collection atomically and durably; the lock is kept."""
        try:
            shutil.rmtree(self._dropped, ignore_errors=True)
            self.path.rename(self._dropped)
            sync_folder(self.path.parent)
        except OSError as error:
            raise ServiceMissing(f"The catalog {self.path} cannot be removed ({error.strerror}).") from error
        shutil.rmtree(self._dropped, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Write the directory entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Write everything below a folder to disk: the engine leaves some of its new files to the kernel."""
    for path, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(path, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(path))


def _config(dim: int) -> EdgeConfig:
    # A second copy of 4 bits a number, which the engine writes with each point: a search that reads it first, see
    # `EdgeCatalog.search`, reads an eighth. A collection that was made without it stays without it.
    shorter = TurboQuantQuantizationConfig(bits=TurboQuantBitSize.Bits4, memory=Memory.Cached)
    vectors = EdgeVectorParams(size=dim, distance=Distance.Cosine, quantization_config=shorter)
    return EdgeConfig(vectors=vectors, sparse_vectors={SPARSE: EdgeSparseVectorParams(modifier=Modifier.Idf)})


def _add_indexes(shard: EdgeShard) -> None:
    existing = shard.info().payload_schema
    for field, kind in INDEXES.items():
        if field not in existing:
            # With links for each payload value the HNSW graph takes ten times longer to build.
            shard.update(UpdateOperation.create_field_index(field, _SCHEMA[kind](enable_hnsw=False)))


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
