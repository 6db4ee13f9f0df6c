"""The folder of an embedded collection: who owns it, what it was made for, how it comes to be, and its synced log."""

import fcntl
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from qdrant_edge import (
    DatetimeIndexParams,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    GeoIndexParams,
    IntegerIndexParams,
    KeywordIndexParams,
    TextIndexParams,
    UpdateOperation,
)

from settings.errors import ServiceMissing
from workers.storage.catalog import INDEXES, CatalogFull

SEGMENT_POINTS = 20_000
_SCHEMA = {
    "keyword": KeywordIndexParams,
    "integer": IntegerIndexParams,
    "datetime": DatetimeIndexParams,
    "geo": GeoIndexParams,
    "text": TextIndexParams,
}


@dataclass(frozen=True)
class About:
    """What a collection was made for."""

    dim: int
    clip_model: str
    schema: int = 1


class CollectionFolder:
    """`root/name`, owned by one process; raises ServiceMissing where another one has it or it cannot be written."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / name
        try:
            root.mkdir(parents=True, exist_ok=True)
            # The engine's own lock exists only once there is a shard, and this one also covers making it.
            self._lock = open(root / f"{name}.lock", "w")  # noqa: SIM115
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

    def about(self) -> About | None:
        """What the collection was made for, None while there is none."""
        try:
            return About(**json.loads((self.path / "about.json").read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ServiceMissing(
                f"{self.path}/about.json cannot be read ({error}): restore or remove the folder."
            ) from error

    def free_bytes(self) -> int:
        """Bytes left on the disk for this user."""
        return shutil.disk_usage(self.path.parent).free

    def require_space(self, reserve: int) -> None:
        """Raise CatalogFull unless `reserve` bytes are left."""
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
        except Exception as error:  # the engine raises nothing more special
            raise ServiceMissing(f"The catalog {self.path} cannot be opened ({error}).") from error
        # A kill during optimisation leaves its unfinished segments here, and nothing else removes them.
        shutil.rmtree(self.path / "shard" / "temp_segments", ignore_errors=True)
        _add_indexes(shard)
        return shard

    def create(self, about: About) -> None:
        """Make the collection, whole or not at all, whenever the process may die."""
        new = self.path.with_name(self.path.name + ".new")
        try:
            for left in (new, self.path.with_name(f".{self.path.name}.dropped")):
                shutil.rmtree(left, ignore_errors=True)
            (new / "shard").mkdir(parents=True)
            shard = EdgeShard.create(str(new / "shard"), _config(about.dim))
            _add_indexes(shard)
            shard.flush()
            shard.close()
            with (new / "about.json").open("w") as file:
                json.dump(asdict(about), file)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(new)
            new.rename(self.path)
            sync_folder(self.path.parent)
        except Exception as error:  # the engine raises nothing more special
            raise ServiceMissing(f"The catalog {self.path} cannot be made ({error}).") from error

    def remove(self) -> None:
        """Remove the collection, at once and durably, whenever the process may die; its lock is kept."""
        # The name of a collection never begins with a dot, so this one cannot be another's.
        gone = self.path.with_name(f".{self.path.name}.dropped")
        try:
            shutil.rmtree(gone, ignore_errors=True)
            self.path.rename(gone)
            sync_folder(self.path.parent)
        except OSError as error:
            raise ServiceMissing(f"The catalog {self.path} cannot be removed ({error.strerror}).") from error
        shutil.rmtree(gone, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _config(dim: int) -> EdgeConfig:
    kilobytes = max(1, SEGMENT_POINTS * dim * 4 // 1024)
    # Bounded segments are never merged into larger ones, so a step of upkeep stays a step.
    bounds = EdgeOptimizersConfig(max_segment_size=kilobytes, indexing_threshold=max(1, kilobytes // 2))
    return EdgeConfig(vectors=EdgeVectorParams(size=dim, distance=Distance.Cosine), optimizers=bounds)


def _add_indexes(shard: EdgeShard) -> None:
    there = shard.info().payload_schema
    for field, kind in INDEXES.items():
        if field not in there:
            # Links for each payload value in the HNSW graph make it ten times slower to build.
            shard.update(UpdateOperation.create_field_index(field, _SCHEMA[kind](enable_hnsw=False)))


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
