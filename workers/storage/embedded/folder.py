"""The folder of an embedded collection: its lock, its info file, its shard, its creation and its removal."""

import fcntl
import json
import os
import secrets
import shutil
from dataclasses import asdict
from pathlib import Path

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

ABOUT = "about.json"
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
        self.shard = self.path / "shard"
        # Whether the places of deleted points may be given back.
        self.may_compact = True
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
            about = json.loads((self.path / ABOUT).read_text())
            # Named only where another one has taken over from the first.
            self.shard = self.path / about.pop("shard", "shard")
            self._info = CollectionInfo(**about)
            return self._info
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
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
            shard = EdgeShard.load(str(self.shard))
        except BaseException as error:  # the engine raises no more specific error, and its panics are no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise ServiceMissing(f"The catalog {self.path} cannot be opened ({error}).") from error
        # Left by an earlier version that was killed while it built a graph; the engine never removes them.
        shutil.rmtree(self.shard / "temp_segments", ignore_errors=True)
        # A copy whose end was not reached, whatever ended it: it is not tried again at once.
        self.may_compact = not self.remove_other_shards()
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
            shard = _create_shard(new / "shard", info.dim)
            shard.flush()
            shard.close()
            (new / ABOUT).write_text(json.dumps(asdict(info)))
            sync_tree(new)
            new.rename(self.path)
            sync_folder(self.path.parent)
        except Exception as error:  # the engine raises no more specific error
            raise ServiceMissing(f"The catalog {self.path} cannot be made ({error}).") from error

    def create_shard(self) -> tuple[Path, EdgeShard]:
        """A new, empty shard beside the one in use, and its folder."""
        folder = self.path / f"shard-{secrets.token_hex(4)}"
        return folder, _create_shard(folder, self._info.dim)

    def use(self, shard: Path) -> None:
        """Name another shard, which is on disk, as the one in use, all at once; sync_folder(path) makes it durable."""
        about = self.path / f"{ABOUT}.new"
        with about.open("w") as file:
            json.dump({**asdict(self._info), "shard": shard.name}, file)
            file.flush()
            os.fsync(file.fileno())
        about.rename(self.path / ABOUT)
        self.shard = shard

    def remove_other_shards(self) -> bool:
        """Remove what is not in use; False if there was nothing."""
        others = [folder for folder in self.path.glob("shard*") if folder != self.shard]
        for folder in others:
            shutil.rmtree(folder, ignore_errors=True)
        return bool(others)

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


def _create_shard(folder: Path, dim: int) -> EdgeShard:
    folder.mkdir(parents=True)
    shard = EdgeShard.create(str(folder), _config(dim))
    _add_indexes(shard)
    return shard


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
