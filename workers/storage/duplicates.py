"""The storage worker's answer to who is the same as whom: a search on a thread of its own, and questions after it."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from settings.errors import DarkroomError
from tasks.app import app
from tasks.queues import DUPLICATES
from tasks.rpc import reply
from workers.storage.catalog import Catalog, Point
from workers.storage.near_duplicates import Groups, near_groups
from workers.storage.state import catalog, point_id, stopping

log = logging.getLogger("darkroom.storage")

# A page of vectors holds the embedded engine's lock, and the interpreter's, for about ten milliseconds.
PAGE = 256
ABANDONED_SECONDS = 60.0
# How much of the work reading the vectors is, for the progress that is shown.
READING = 0.3


class DuplicateSearch(threading.Thread):
    """Groups the points of a collection: byte-identical ones, or with `near` those with at least that cosine.

    `groups` is None while it runs, then a list of groups, the largest first, each a list of (uri, cosine to the first
    of the group) in the order of the URIs. `failure` is the sentence of what went wrong. A search that nobody asks
    after for ABANDONED_SECONDS ends by itself.
    """

    def __init__(self, catalog: Catalog, near: float | None, where: dict[str, Any] | None, stop: threading.Event):
        super().__init__(name="duplicates", daemon=True)
        self._catalog = catalog
        self._near = near
        self._where = where
        self._stopping = stop
        self._asked = time.monotonic()
        self.done = 0.0
        self.points = 0
        self.groups: list[list[tuple[str, float]]] | None = None
        self.failure: DarkroomError | None = None

    def asked(self) -> None:
        """Note that somebody still wants to know."""
        self._asked = time.monotonic()

    def is_abandoned(self) -> bool:
        """True when nobody has asked for a while."""
        return self._stopping.is_set() or time.monotonic() - self._asked > ABANDONED_SECONDS

    def run(self) -> None:
        """Read the collection, then group it."""
        try:
            self.groups = self._same_bytes() if self._near is None else self._near_ones(self._near)
        except DarkroomError as error:
            self.failure = error
        except Exception as error:
            log.exception("a search for duplicates failed")
            self.failure = DarkroomError(f"The search for duplicates failed ({type(error).__name__}: {error}).")

    def _same_bytes(self) -> list[list[tuple[str, float]]]:
        count = self._catalog.count(self._where)
        groups = Groups(count)
        uris: list[str] = []
        first: dict[str, int] = {}
        for number, point in enumerate(self._points(count, with_vectors=False)):
            uris.append(point.payload["uri"])
            groups.link(first.setdefault(point.payload.get("sha256") or point.id, number), number)
            self.done = self.points / count
        return [[(uri, 1.0) for uri in sorted(uris[each] for each in members)] for members in groups.found()]

    def _near_ones(self, near: float) -> list[list[tuple[str, float]]]:
        count = self._catalog.count(self._where)
        vectors: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
        uris: list[str] = []
        for number, point in enumerate(self._points(count, with_vectors=True)):
            if not uris:
                vectors = np.empty((count, len(point.vector)), dtype=np.float32)
            vectors[number] = point.vector
            uris.append(point.payload["uri"])
            self.done = READING * self.points / count
        vectors = vectors[: len(uris)]

        def progress(part: float) -> None:
            self.done = READING + (1 - READING) * part

        found = []
        for members in near_groups(vectors, near, progress, self.is_abandoned) if uris else []:
            members.sort(key=uris.__getitem__)
            cosines = vectors[members] @ vectors[members[0]]
            found.append([(uris[each], float(cosine)) for each, cosine in zip(members, cosines, strict=True)])
        return found

    def _points(self, most: int, with_vectors: bool) -> Iterator[Point]:
        after: str | None = None
        while not self.is_abandoned():
            page, after = self._catalog.scroll(self._where, PAGE, after, with_vectors)
            for point in page:
                # What others add meanwhile may be more than there is room for; the next search sees it.
                if self.points == most:
                    return
                self.points += 1
                yield point
            if after is None:
                return


PAGE_ROWS = 1000
FIELDS = ["uri", "sha256", "caption", "bytes", "format", "width", "height", "taken_at", "camera"]

_searches: dict[str, DuplicateSearch] = {}
_lock = threading.Lock()


@app.task(name=DUPLICATES, ignore_result=False, acks_late=False)
def duplicates(token: str, near: float | None, where: dict[str, Any] | None, offset: int = 0) -> dict[str, Any]:
    """How the search called `token` is, which the first question after it starts; then its groups, page by page.

    {"done": 0 to 1} while it runs; then also "points" looked at, "total" of groups, "groups": some of them from
    `offset` on, each a list of {"uri", "score": the cosine to the first of its group, ...facts}, and "next": the next
    offset, None at the end. A question that comes again, or to another worker, does no harm: that worker searches too.
    """

    def work() -> dict[str, Any]:
        search = _search(token, near, where)
        if search.failure is not None:
            raise search.failure
        if search.groups is None:
            return {"done": search.done}
        page, rows = [], 0
        for group in search.groups[offset:]:
            page.append(group)
            rows += len(group)
            if rows >= PAGE_ROWS:
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

    return reply(work)


def _search(token: str, near: float | None, where: dict[str, Any] | None) -> DuplicateSearch:
    with _lock:
        for name in [name for name, search in _searches.items() if search.is_abandoned()]:
            del _searches[name]
        if token not in _searches:
            _searches[token] = DuplicateSearch(catalog(), near, where, stopping)
            _searches[token].start()
        _searches[token].asked()
        return _searches[token]
