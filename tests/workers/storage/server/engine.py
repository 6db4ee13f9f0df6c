"""What a Qdrant server does with a request, on the embedded engine, and as strict as the server is where it is known.

It takes and returns the models of qdrant-client. It cannot know what a server does with shards, replicas, quantization,
optimizers or several nodes; those options are accepted and left aside. The words of its errors are those of Qdrant's
source (lib/storage/src/content_manager/errors.rs and lib/collection/src/operations/types.rs, 1.19).
"""

import math
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import qdrant_edge as edge
from qdrant_client import models

from tests.workers.storage.server.engine_filter import fields_of, to_edge

LARGEST_BODY = 32 * 2**20
_INDEXES = {
    "keyword": edge.KeywordIndexParams,
    "integer": edge.IntegerIndexParams,
    "datetime": edge.DatetimeIndexParams,
    "geo": edge.GeoIndexParams,
}
NOT_FOUND, BAD, EXISTS = (
    (grpc.StatusCode.NOT_FOUND, 404),
    (grpc.StatusCode.INVALID_ARGUMENT, 400),
    (grpc.StatusCode.ALREADY_EXISTS, 409),
)


class EngineError(Exception):
    """What Qdrant answers instead: a code of gRPC, a status of HTTP, and words."""

    def __init__(self, kind: tuple[grpc.StatusCode, int], words: str) -> None:
        super().__init__(words)
        self.code, self.status = kind


@dataclass
class Collection:
    """One collection: its shard, and what it was created as."""

    shard: edge.EdgeShard
    size: int
    metadata: dict[str, Any]
    sparse: set[str] = field(default_factory=set)
    indexes: dict[str, str] = field(default_factory=dict)


class Engine:
    """The collections of a server. With `strict_mode`, a filter over a field without an index is refused."""

    def __init__(self, strict_mode: bool = False) -> None:
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="qdrant-", dir=memory if memory.is_dir() else None))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._collections: dict[str, Collection] = {}
        self._made = 0
        self._lock = threading.RLock()
        self.strict_mode = strict_mode

    def create_collection(
        self, name: str, vectors: models.VectorParams, metadata: dict[str, Any], sparse: Iterable[str] = ()
    ) -> None:
        """Make an empty collection."""
        with self._lock:
            if name in self._collections:
                raise EngineError(EXISTS, f"Wrong input: Collection `{name}` already exists!")
            if vectors.distance != models.Distance.COSINE:
                raise NotImplementedError(f"distance {vectors.distance}")
            self._made += 1
            place = self._folder / str(self._made)
            place.mkdir()
            dense = edge.EdgeVectorParams(size=vectors.size, distance=edge.Distance.Cosine)
            words = {each: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) for each in sparse}
            shard = edge.EdgeShard.create(str(place), edge.EdgeConfig(vectors=dense, sparse_vectors=words))
            self._collections[name] = Collection(shard, vectors.size, metadata, set(sparse))

    def collection_exists(self, name: str) -> bool:
        """True for a collection that is there."""
        return name in self._collections

    def collection_names(self) -> list[str]:
        """All collections."""
        return sorted(self._collections)

    def delete_collection(self, name: str) -> bool:
        """Remove a collection; False where there is none."""
        return self._collections.pop(name, None) is not None

    def get_collection(self, name: str) -> models.CollectionInfo:
        """What the server tells of a collection."""
        own = self._collection(name)
        schema = {
            key: {"data_type": kind, "params": {"type": kind, "enable_hnsw": False}, "points": 0}
            for key, kind in own.indexes.items()
        }
        told = {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": 1,
            "points_count": self.count(name).count,
            "config": {
                "params": {
                    "vectors": {"size": own.size, "distance": "Cosine"},
                    "sparse_vectors": {each: {"modifier": "idf"} for each in own.sparse},
                },
                "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                "optimizer_config": {
                    "deleted_threshold": 0.2,
                    "vacuum_min_vector_number": 1000,
                    "default_segment_number": 0,
                    "flush_interval_sec": 5,
                },
                "metadata": own.metadata,
            },
            "payload_schema": schema,
        }
        return models.CollectionInfo.model_validate(told)

    def create_sparse_vector(self, name: str, vector: str) -> None:
        """Let points have one more sparse vector, with the modifier IDF."""
        own = self._collection(name)
        with self._lock:
            own.shard.update(edge.UpdateOperation.create_sparse_vector(vector, edge.Modifier.Idf))
            own.sparse.add(vector)

    def create_payload_index(self, name: str, key: str, kind: str) -> None:
        """Index a field of the payloads."""
        own = self._collection(name)
        if kind not in _INDEXES:
            raise NotImplementedError(f"an index of kind {kind}")
        with self._lock:
            own.shard.update(edge.UpdateOperation.create_field_index(key, _INDEXES[kind](enable_hnsw=False)))
            own.indexes[key] = kind

    def upsert(self, name: str, points: Sequence[tuple[Any, Any, dict[str, Any] | None]]) -> None:
        """Write points, each an id, a vector and a payload; nothing is written where one is wrong."""
        own = self._collection(name)
        batch = [edge.Point(id_, self._vectors(own, vector), payload or {}) for id_, vector, payload in points]
        with self._lock:
            own.shard.update(edge.UpdateOperation.upsert_points(batch))

    def update_vectors(self, name: str, points: Sequence[models.PointVectors]) -> None:
        """Write vectors beside those that the points have."""
        own = self._collection(name)
        changed = [edge.PointVectors(each.id, self._vectors(own, each.vector)) for each in points]
        with self._lock:
            own.shard.update(edge.UpdateOperation.update_vectors(changed))

    def delete(self, name: str, ids: Sequence[Any]) -> None:
        """Remove points by their ids."""
        with self._lock:
            self._collection(name).shard.update(edge.UpdateOperation.delete_points(list(ids)))

    def retrieve(self, name: str, ids: Sequence[Any], payload: Any, vectors: Any = False) -> list[models.Record]:
        """Points by their ids."""
        with self._lock:
            found = self._collection(name).shard.retrieve(list(ids), _selector(payload), vectors)
        return [_record(each) for each in found]

    def scroll(
        self, name: str, condition: models.Filter | None, limit: int, offset: Any, payload: Any, vectors: Any
    ) -> tuple[list[models.Record], Any]:
        """A page of points, and the id at which the next page begins."""
        own = self._collection(name)
        request = edge.ScrollRequest(offset, limit, self._filter(own, condition), _selector(payload), vectors)
        with self._lock:
            found, after = own.shard.scroll(request)
        return [_record(each) for each in found], None if after is None else str(after)

    def query(self, name: str, request: models.QueryRequest) -> list[models.ScoredPoint]:
        """The nearest points, or any where no vector is asked for."""
        own = self._collection(name)
        condition, limit, offset = self._filter(own, request.filter), request.limit or 10, request.offset or 0
        shown = {"filter": condition, "with_payload": _selector(request.with_payload)}
        vector: Any = getattr(request.query, "nearest", request.query)
        with self._lock:
            if vector is None or request.using:
                using = request.using or ""
                nearest = None if vector is None else edge.Query.Nearest(_sparse(own, using, vector), using=using)
                wanted = edge.QueryRequest(limit, query=nearest, with_vector=request.with_vector or False, **shown)
                (found,) = own.shard.query_batch(edge.QueryBatchRequest([wanted]))
            else:
                nearest = edge.Query.Nearest(self._vectors(own, vector)[""])
                found = own.shard.search(edge.SearchRequest(nearest, limit, offset, **shown))
        return [
            models.ScoredPoint(
                id=str(each.id), version=0, score=each.score, payload=each.payload, vector=_vector(each.vector)
            )
            for each in found
        ]

    def count(self, name: str, condition: models.Filter | None = None) -> models.CountResult:
        """The exact number of points."""
        own = self._collection(name)
        with self._lock:
            return models.CountResult(count=own.shard.count(edge.CountRequest(True, self._filter(own, condition))))

    def facet(self, name: str, key: str, condition: models.Filter | None, limit: int) -> models.FacetResponse:
        """The values of a field, which must have an index, and how often each is there."""
        own = self._collection(name)
        if key not in own.indexes:
            raise EngineError(BAD, _no_index(key))
        request = edge.FacetRequest(key, limit, True, self._filter(own, condition))
        with self._lock:
            hits = own.shard.facet(request).hits
        return models.FacetResponse(hits=[models.FacetValueHit(value=hit.value, count=hit.count) for hit in hits])

    def _collection(self, name: str) -> Collection:
        if name not in self._collections:
            raise EngineError(NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")
        return self._collections[name]

    def _vectors(self, own: Collection, given: Any) -> dict[str, Any]:
        """The vectors of a point as the engine takes them; raises EngineError for one that the collection refuses."""
        found: dict[str, Any] = {}
        for name, vector in (given if isinstance(given, dict) else {"": given}).items():
            if name:
                found[name] = _sparse(own, name, vector)
                continue
            if len(vector) != own.size:
                words = f"Wrong input: Vector dimension error: expected dim: {own.size}, got {len(vector)}"
                raise EngineError(BAD, words)
            if not all(math.isfinite(number) for number in vector):
                raise EngineError(BAD, "Wrong input: a vector has numbers that are not finite")
            found[name] = list(vector)
        return found

    def _filter(self, own: Collection, condition: models.Filter | None) -> edge.Filter | None:
        if condition is None:
            return None
        for key in sorted(fields_of(condition) - own.indexes.keys()):
            if self.strict_mode:
                raise EngineError(
                    BAD, f"{_no_index(key)}. Help: Create an index for this key or use a different filter."
                )
        return to_edge(condition)


def _no_index(key: str) -> str:
    return f'Bad request: Index required but not found for "{key}"'


def _selector(wanted: Any) -> Any:
    if isinstance(wanted, models.PayloadSelectorExclude):
        return edge.PayloadSelector.Exclude(wanted.exclude)
    if isinstance(wanted, models.PayloadSelectorInclude):
        return wanted.include
    return False if wanted is None else wanted


def _record(found: Any) -> models.Record:
    return models.Record(id=str(found.id), payload=found.payload, vector=_vector(found.vector))


def _vector(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: _vector(vector) for name, vector in found.items()}
    if isinstance(found, edge.SparseVector):
        return models.SparseVector(indices=found.indices, values=found.values)
    return found


def _sparse(own: Collection, name: str, vector: models.SparseVector) -> edge.SparseVector:
    if name not in own.sparse:
        raise EngineError(BAD, f"Wrong input: Not existing vector name error: {name}")
    return edge.SparseVector(vector.indices, vector.values)
