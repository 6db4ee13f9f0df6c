"""The catalog on the embedded Qdrant engine, for machines without a server."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from settings.errors import DarkroomError
from workers.storage import checks
from workers.storage.catalog import Hit, Point
from workers.storage.embedded.filter import edge_filter
from workers.storage.embedded.folder import SEGMENT_POINTS, About, CollectionFolder, WriteAheadLog
from workers.storage.where import Condition, In, Is, Where, parse_where, spelled_out

T = TypeVar("T")
# Replaying this many points when a shard is loaded takes about a second.
POINTS_BETWEEN_FLUSHES = 16_384
# Up to here an exact search takes at most some 40 ms, and building graphs stops the whole process for a while.
POINTS_WITHOUT_GRAPH = 200_000
_CLOSED = "The catalog has no collection: it is closed, or ensure() was not called."


class EdgeCatalog:
    """The collection `name` below the folder `root`, owned by this process until `close`.

    Open it only after the last fork: the engine's threads do not survive one. `reserve` bytes of the disk stay free,
    because a full disk kills the process in the middle of a write (SIGBUS) instead of raising an error.
    """

    def __init__(self, root: Path, name: str, reserve: int = 256 * 2**20) -> None:
        self._folder = CollectionFolder(root, name)
        self._reserve = reserve
        # The engine's calls hold the interpreter's lock anyway; one lock more makes several of them one step.
        self._lock = RLock()
        self._shard: edge.EdgeShard | None = None
        self._unflushed = 0
        try:
            self._about = self._folder.about()
            if self._about:
                self._open()
        except BaseException:
            self._folder.release()
            raise

    def ensure(self, dim: int, clip_model: str) -> None:
        """See Catalog."""
        with self._lock:
            if self._about is None:
                self._folder.require_space(self._reserve)
                self._folder.create(About(dim, clip_model))
                self._about = self._folder.about()
                self._open()
            else:
                checks.require_model(self._folder.path.name, (self._about.dim, self._about.clip_model), dim, clip_model)

    def clip_model(self) -> str | None:
        """See Catalog."""
        return self._about.clip_model if self._about else None

    def check_model(self, clip_model: str) -> None:
        """See Catalog."""
        if self._about:
            checks.require_model(self._folder.path.name, (self._about.dim, self._about.clip_model), None, clip_model)

    def upsert(self, points: Sequence[Point]) -> None:
        """See Catalog."""
        if self._about is None:
            raise DarkroomError(_CLOSED)
        checks.points(points, self._about.dim)
        self._folder.require_space(self._reserve)
        # Outside the lock, because turning Python's objects into the engine's takes longer than writing them.
        batch = [edge.Point(point.id, point.vector.tolist(), point.payload) for point in points]
        self._write(edge.UpdateOperation.upsert_points(batch), len(batch))

    def payloads(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See Catalog."""
        checks.ids(ids)
        found = self._run(lambda shard: shard.retrieve(list(ids), list(fields) or False, False)) or []
        return {str(record.id): record.payload or {} for record in found}

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """See Catalog."""
        made_by: list[Condition] = [Is("clip_model", clip_model), Is("preprocessing", preprocessing)]
        wanted = self._held(list(dict.fromkeys(sha256s)), made_by) if sha256s else []
        if not wanted:
            return {}
        # One request for each sha256: in a single one for all, many copies of one picture would push out the others.
        filters = [edge_filter(Where([Is("sha256", sha256), *made_by], [], [])) for sha256 in wanted]
        requests = [edge.QueryRequest(1, filter=each, with_payload=True, with_vector=True) for each in filters]
        answers = self._run(lambda shard: shard.query_batch(edge.QueryBatchRequest(requests))) or []
        return {sha256: _point(found[0]) for sha256, found in zip(wanted, answers) if found}

    def search(self, vector: NDArray[np.float32], limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        if self._about is None:
            return []
        checks.vector(vector, self._about.dim, "The query")
        request = edge.SearchRequest(edge.Query.Nearest(vector.tolist()), limit, filter=condition, with_payload=True)
        found = self._run(lambda shard: shard.search(request)) or []
        return [Hit(str(point.id), point.score, point.payload or {}) for point in found]

    def scroll(
        self, where: dict[str, Any] | None, limit: int, after: str | None = None, with_vectors: bool = False
    ) -> tuple[list[Point], str | None]:
        """See Catalog."""
        checks.ids([after] if after else [])
        request = edge.ScrollRequest(after, limit, self._filter(where), True, with_vectors)
        records, following = self._run(lambda shard: shard.scroll(request)) or ([], None)
        return [_point(record) for record in records], None if following is None else str(following)

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """See Catalog."""
        checks.facet(field)
        request = edge.FacetRequest(field, limit, True, self._filter(where))
        hits = self._run(lambda shard: shard.facet(request).hits) or []
        # The engine's index remembers values whose points are all deleted.
        return {hit.value: hit.count for hit in hits if hit.count}

    def delete(self, ids: Sequence[str]) -> None:
        """See Catalog."""
        checks.ids(ids)
        if self._about and ids:
            self._write(edge.UpdateOperation.delete_points(list(ids)), len(ids))

    def count(self, where: dict[str, Any] | None = None) -> int:
        """See Catalog."""
        request = edge.CountRequest(True, self._filter(where))
        return self._run(lambda shard: shard.count(request)) or 0

    def drop(self) -> None:
        """See Catalog."""
        with self._lock:
            if self._shard is not None:
                self._shard.close()
                self._shard = self._about = None
                self._folder.remove()

    def maintain(self) -> bool:
        """See Catalog. Once there are many points it builds a search graph for those that came since the last step."""
        with self._lock:
            if self._shard is None:
                return False
            if self._unflushed:
                self._flush()
                return self._wants_graph(self._shard)
            if self._wants_graph(self._shard) and self._folder.free_bytes() > 4 * self._reserve:
                self._shard.optimize()
                self._flush()
            return False

    def close(self) -> None:
        """See Catalog."""
        with self._lock:
            if self._shard is not None:
                self._shard.close()  # which flushes
                self._shard = self._about = None
            self._folder.release()

    def _open(self) -> None:
        self._shard = self._folder.load()
        # What loading replayed stays in the log until the next flush.
        self._unflushed = 1
        self._log = WriteAheadLog(self._folder.path / "shard" / "wal")

    def _write(self, operation: edge.UpdateOperation, points: int) -> None:
        with self._lock:
            if self._shard is None:
                raise DarkroomError(_CLOSED)
            self._run(lambda shard: shard.update(operation))
            log, number = self._log, self._log.note()
            self._unflushed += points
            if self._unflushed >= POINTS_BETWEEN_FLUSHES:
                self._flush()
        # Outside the lock: a search need not wait for the disk, and writes that wait for it share one turn.
        log.sync(number)

    def _filter(self, where: dict[str, Any] | None) -> edge.Filter | None:
        return edge_filter(spelled_out(parse_where(where), lambda field, most: self.facet(field, limit=most)))

    def _held(self, sha256s: list[str], made_by: list[Condition]) -> list[str]:
        """Which of these contents may be there: of new files none are, and that takes one question instead of many."""
        most = 2 * len(sha256s)
        request = edge.ScrollRequest(
            None, most, edge_filter(Where([In("sha256", sha256s), *made_by], [], [])), ["sha256"], False
        )
        found, _ = self._run(lambda shard: shard.scroll(request)) or ([], None)
        if len(found) == most:  # there may be more, of contents that have not come up yet
            return sha256s
        return list({(record.payload or {})["sha256"] for record in found})

    def _run(self, work: Callable[[edge.EdgeShard], T]) -> T | None:
        with self._lock:
            if self._shard is None:
                return None
            try:
                return work(self._shard)
            except Exception as error:  # the engine raises nothing more special
                raise DarkroomError(f"The embedded catalog {self._folder.path} failed: {error}.") from error

    def _flush(self) -> None:
        self._run(lambda shard: shard.flush())
        self._unflushed = 0

    def _wants_graph(self, shard: edge.EdgeShard) -> bool:
        info = shard.info()
        waiting = info.points_count - info.indexed_vectors_count
        return info.points_count >= POINTS_WITHOUT_GRAPH and waiting >= SEGMENT_POINTS


def _point(record: edge.Record | edge.ScoredPoint) -> Point:
    return Point(str(record.id), np.asarray(record.vector or (), dtype=np.float32), record.payload or {})
