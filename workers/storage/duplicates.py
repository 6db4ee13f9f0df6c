"""Duplicate search: it runs on its own thread, and the producer asks for its progress and then for its groups."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from settings.errors import DarkroomError
from tasks.queues import DUPLICATES
from tasks.rpc import answers
from workers.storage.catalog import Catalog, Point, point_id
from workers.storage.near_duplicates import Groups, near_groups
from workers.storage.state import catalog, stopping

log = logging.getLogger("darkroom.storage")

# Reading a page of vectors holds the lock of the embedded engine, and the GIL, for about ten milliseconds.
PAGE_POINTS = 256
ABANDONED_SECONDS = 60.0
# The share of the work that is reading the vectors, for the progress bar.
READING_SHARE = 0.3


class DuplicateSearch(threading.Thread):
    """Groups the points of a collection: byte-identical ones, or with `near` those with at least that cosine.

    `groups` is None while it runs, then a list of groups, the largest first, each a list of (uri, cosine to the first
    of the group) in the order of the URIs. `failure` is the error that ended it. A search ends by itself when no
    request came for ABANDONED_SECONDS.
    """

    def __init__(self, catalog: Catalog, near: float | None, where: dict[str, Any] | None, stop: threading.Event):
        super().__init__(name="duplicates", daemon=True)
        self._catalog = catalog
        self._near = near
        self._where = where
        self._stopping = stop
        self._last_request = time.monotonic()
        self.done = 0.0
        self.points = 0
        self.groups: list[list[tuple[str, float]]] | None = None
        self.failure: DarkroomError | None = None

    def keep_alive(self) -> None:
        """Note that a request came."""
        self._last_request = time.monotonic()

    def is_abandoned(self) -> bool:
        """True when no request came for a while, or the worker stops."""
        return self._stopping.is_set() or time.monotonic() - self._last_request > ABANDONED_SECONDS

    def run(self) -> None:
        """Read the collection, then group it."""
        try:
            self.groups = self._group_copies() if self._near is None else self._group_near(self._near)
        except DarkroomError as error:
            self.failure = error
        except Exception as error:
            log.exception("a search for duplicates failed")
            self.failure = DarkroomError(f"The search for duplicates failed ({type(error).__name__}: {error}).")

    def _group_copies(self) -> list[list[tuple[str, float]]]:
        count = self._catalog.count(self._where)
        groups = Groups(count)
        uris: list[str] = []
        first_numbers: dict[str, int] = {}
        for number, point in enumerate(self._points(count, with_vectors=False)):
            uris.append(point.payload["uri"])
            first = first_numbers.setdefault(point.payload.get("sha256") or point.id, number)
            groups.link(first, number)
            self.done = self.points / count
        return [[(uri, 1.0) for uri in sorted(uris[member] for member in members)] for members in groups.as_lists()]

    def _group_near(self, threshold: float) -> list[list[tuple[str, float]]]:
        count = self._catalog.count(self._where)
        vectors: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
        uris: list[str] = []
        for number, point in enumerate(self._points(count, with_vectors=True)):
            if not uris:
                vectors = np.empty((count, len(point.vector)), dtype=np.float32)
            vectors[number] = point.vector
            uris.append(point.payload["uri"])
            self.done = READING_SHARE * self.points / count
        vectors = vectors[: len(uris)]

        def progress(share: float) -> None:
            self.done = READING_SHARE + (1 - READING_SHARE) * share

        groups = []
        for members in near_groups(vectors, threshold, progress, self.is_abandoned) if uris else []:
            members.sort(key=uris.__getitem__)
            cosines = vectors[members] @ vectors[members[0]]
            groups.append([(uris[member], float(cosine)) for member, cosine in zip(members, cosines, strict=True)])
        return groups

    def _points(self, limit: int, with_vectors: bool) -> Iterator[Point]:
        after: str | None = None
        while not self.is_abandoned():
            page, after = self._catalog.scroll(self._where, PAGE_POINTS, after, with_vectors)
            for point in page:
                # Points that were added meanwhile may exceed the arrays; the next search sees them.
                if self.points == limit:
                    return
                self.points += 1
                yield point
            if after is None:
                return


ANSWER_ROWS = 1000
FIELDS = ["uri", "sha256", "caption", "bytes", "format", "width", "height", "taken_at", "camera"]

_searches: dict[str, DuplicateSearch] = {}
_lock = threading.Lock()


@answers(DUPLICATES)
def duplicates(token: str, near: float | None, where: dict[str, Any] | None, offset: int = 0) -> dict[str, Any]:
    """The progress of the search `token`, which its first request starts; then its groups, page by page.

    {"done": 0 to 1} while it runs; then also "points": how many were read, "total": how many groups there are,
    "groups": some of them from `offset` on, each a list of {"uri", "score": the cosine to the first of its group,
    ...facts}, and "next": the next offset, None at the end. A repeated request does no harm, and neither does one that
    reaches another worker: that worker searches too.
    """
    search = _search(token, near, where)
    if search.failure is not None:
        raise search.failure
    if search.groups is None:
        return {"done": search.done}
    page, rows = [], 0
    for group in search.groups[offset:]:
        page.append(group)
        rows += len(group)
        if rows >= ANSWER_ROWS:
            break
    facts = catalog().payloads([point_id(uri) for group in page for uri, _ in group], FIELDS)
    end = offset + len(page)
    return {
        "done": 1.0,
        "points": search.points,
        "total": len(search.groups),
        "groups": [
            [{"uri": uri, "score": score, **facts.get(point_id(uri), {})} for uri, score in group] for group in page
        ],
        "next": end if end < len(search.groups) else None,
    }


def _search(token: str, near: float | None, where: dict[str, Any] | None) -> DuplicateSearch:
    with _lock:
        for abandoned in [name for name, search in _searches.items() if search.is_abandoned()]:
            del _searches[abandoned]
        if token not in _searches:
            _searches[token] = DuplicateSearch(catalog(), near, where, stopping)
            _searches[token].start()
        _searches[token].keep_alive()
        return _searches[token]
