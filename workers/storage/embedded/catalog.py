"""The catalog on the embedded Qdrant engine, for machines without a server."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from settings.errors import DarkroomError, WrongUse
from workers.storage.catalog import Catalog, CollectionInfo, Hit, Point, payload_selector, with_words
from workers.storage.embedded.contents import points_by_content
from workers.storage.embedded.durable import DurableShard
from workers.storage.embedded.filter import edge_filter
from workers.storage.embedded.folder import CollectionFolder
from workers.storage.embedded.nearest import nearest
from workers.storage.embedded.records import EMBEDDING, WITHOUT_WORDS, edge_vectors, point_of
from workers.storage.embedded.words import WORDS_A_STEP, LateWords
from workers.storage.patterns import MAX_VALUES, expand_patterns
from workers.storage.ranking.bm25 import SPARSE, Terms
from workers.storage.validation import (
    validate_facet_field,
    validate_ids,
    validate_model,
    validate_points,
    validate_vector,
)
from workers.storage.where import parse_where, reusable_with

T = TypeVar("T")
_CLOSED = "The catalog has no collection: it is closed, or ensure() was not called."


class EdgeCatalog(Catalog):
    """The collection `name` below the folder `root`, owned by this process until `close`.

    Open it only after the last fork, because the engine's threads do not survive one. `reserve` bytes of the disk stay
    free, because a full disk kills the process during a write (SIGBUS) instead of raising an error.
    """

    def __init__(self, root: Path, name: str, reserve: int = 256 * 2**20) -> None:
        self._folder = CollectionFolder(root, name)
        self._reserve = reserve
        # Makes several calls of the engine atomic; it costs nothing, because each call holds the GIL anyway.
        self._lock = RLock()
        self._shard: DurableShard | None = None
        self._points: int | None = None  # counted, until something is written: every search asks, and it costs 8 ms
        try:
            self._info = self._folder.read_info()
            if self._info:
                self._open()
        except BaseException:
            self._folder.release()
            raise

    def ensure(self, dim: int, clip_model: str) -> None:
        """See Catalog."""
        with self._lock:
            if self._info is None:
                self._folder.require_space(self._reserve)
                self._folder.create(CollectionInfo(dim, clip_model))
                self._info = self._folder.read_info()
                self._open()
            else:
                validate_model(self._folder.path.name, self._info, dim, clip_model)

    def clip_model(self) -> str | None:
        """See Catalog."""
        return self._info.clip_model if self._info else None

    def check_model(self, clip_model: str) -> None:
        """See Catalog."""
        if self._info:
            validate_model(self._folder.path.name, self._info, None, clip_model)

    def upsert(self, points: Sequence[Point]) -> None:
        """See Catalog."""
        if self._info is None:
            raise DarkroomError(_CLOSED)
        validate_points(points, self._info.dim)
        self._folder.require_space(self._reserve)
        # Outside of the lock, because converting the points takes longer than writing them.
        batch = [edge.Point(point.id, edge_vectors(point), with_words(point.payload)) for point in points]
        self._write(edge.UpdateOperation.upsert_points(batch), len(batch))

    def alone(self) -> AbstractContextManager[object]:
        """See Catalog."""
        return self._lock

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """See Catalog."""
        same_model = reusable_with(clip_model, preprocessing)
        found = self._run(lambda shard: points_by_content(shard, list(dict.fromkeys(sha256s)), same_model))
        return found or {}

    def search(
        self,
        vector: NDArray[np.float32],
        limit: int,
        where: dict[str, Any] | None = None,
        offset: int = 0,
        fields: Sequence[str] | None = None,
    ) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        if self._info is None:
            return []
        validate_vector(vector, self._info.dim, "The query")
        query, wanted = edge.Query.Nearest(vector.tolist()), payload_selector(fields, WITHOUT_WORDS)
        points = self._run(lambda shard: nearest(shard, query, limit, offset, condition, wanted)) or []
        return [Hit(str(point.id), point.score, point.payload or {}) for point in points]

    def search_words(self, terms: Terms, limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        if not terms.indices:
            return []
        while self._add_late_words():  # others may ask and write between the steps
            pass
        query = edge.Query.Nearest(edge.SparseVector(terms.indices, terms.values), using=SPARSE)
        request = edge.QueryRequest(limit, query=query, filter=condition, with_payload=False)
        points = self._run(lambda shard: shard.query(request)) or []
        return [Hit(str(point.id), point.score, {}) for point in points]

    def points(self, ids: Sequence[str], fields: Sequence[str] | None, with_vectors: bool) -> dict[str, Point]:
        """See Catalog."""
        validate_ids(ids)
        wanted, vectors = payload_selector(fields, WITHOUT_WORDS), EMBEDDING if with_vectors else False
        records = self._run(lambda shard: shard.retrieve(list(ids), wanted, vectors)) or []
        return {str(record.id): point_of(record) for record in records}

    def scroll(
        self,
        where: dict[str, Any] | None,
        limit: int,
        after: str | None = None,
        with_vectors: bool = False,
        fields: Sequence[str] | None = None,
    ) -> tuple[list[Point], str | None]:
        """See Catalog."""
        validate_ids([after] if after else [])
        wanted, vectors = payload_selector(fields, WITHOUT_WORDS), EMBEDDING if with_vectors else False
        request = edge.ScrollRequest(after, limit, self._filter(where), wanted, vectors)
        records, next_id = self._run(lambda shard: shard.scroll(request)) or ([], None)
        return [point_of(record) for record in records], None if next_id is None else str(next_id)

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """See Catalog."""
        validate_facet_field(field)
        condition = self._filter(where)
        # The engine counts every value before it keeps the first ones: half a minute for the names of 700,000 pictures,
        # with the GIL held. Where it need not count exactly, it stops at the limit.
        most = max(limit, MAX_VALUES)
        some = edge.FacetRequest(field, most + 1, False)
        if len(self._run(lambda shard: shard.facet(some).hits) or []) > most:
            raise WrongUse(f"{field} has more than {MAX_VALUES:,} different values: too many to count each of them.")
        request = edge.FacetRequest(field, limit, True, condition)
        hits = self._run(lambda shard: shard.facet(request).hits) or []
        # The engine's index keeps values whose points are all deleted.
        return {hit.value: hit.count for hit in hits if hit.count}

    def delete(self, ids: Sequence[str]) -> None:
        """See Catalog."""
        validate_ids(ids)
        if self._info and ids:
            self._write(edge.UpdateOperation.delete_points(list(ids)), len(ids))

    def count(self, where: dict[str, Any] | None = None) -> int:
        """See Catalog."""
        with self._lock:
            if where is None and self._points is not None:
                return self._points
            request = edge.CountRequest(True, self._filter(where))
            found = self._run(lambda shard: shard.count(request)) or 0
            self._points = found if where is None else self._points
            return found

    def drop(self) -> None:
        """See Catalog."""
        with self._lock:
            if self._shard is not None:
                self._shard.close()
                self._shard = self._info = self._points = None
                self._folder.remove()

    def maintain(self) -> bool:
        """See Catalog."""
        with self._lock:
            if more := self._add_late_words():
                return more
            return bool(self._use(DurableShard.maintain))

    def close(self) -> None:
        """See Catalog."""
        with self._lock:
            if self._shard is not None:
                self._shard.close()
                self._shard = self._info = None
            self._folder.release()

    def _open(self) -> None:
        self._shard = DurableShard(self._folder, self._reserve)
        self._late_words = LateWords()

    def _add_late_words(self) -> bool:
        """Add the words of the next points that lack them; False once none does."""
        with self._lock:
            if self._shard is None or self._late_words.is_done:
                return False
            if operation := self._run(self._late_words.step):
                self._write(operation, WORDS_A_STEP)
            return not self._late_words.is_done

    def _write(self, operation: edge.UpdateOperation, points: int) -> None:
        with self._lock:
            if self._shard is None:
                raise DarkroomError(_CLOSED)
            self._points = None
            on_disk = self._use(lambda shard: shard.write(operation, points))
        if on_disk:
            on_disk()

    def _filter(self, where: dict[str, Any] | None) -> edge.Filter | None:
        return edge_filter(expand_patterns(parse_where(where), lambda field, limit: self.facet(field, limit=limit)))

    def _run(self, operation: Callable[[edge.EdgeShard], T]) -> T | None:
        return self._use(lambda shard: operation(shard.engine))

    def _use(self, operation: Callable[[DurableShard], T]) -> T | None:
        with self._lock:
            if self._shard is None:
                return None
            try:
                return operation(self._shard)
            except Exception as error:  # the engine raises no more specific error
                raise DarkroomError(f"The embedded catalog {self._folder.path} failed: {error}.") from error
