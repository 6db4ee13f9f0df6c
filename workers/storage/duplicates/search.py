"""Duplicate search: it runs on its own thread, and the producer asks for its progress and then for its groups."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from settings import load_settings
from settings.errors import DarkroomError
from tasks.queues import DUPLICATES
from tasks.rpc.answers import answers
from workers.storage.catalog import Catalog, Point
from workers.storage.duplicates.keep import kept_first
from workers.storage.duplicates.linkage import Linkage, divided
from workers.storage.duplicates.near import Groups, near_groups
from workers.storage.duplicates.shared_search import RENEW_SECONDS, Group, Run, SharedSearch
from workers.storage.state import catalog, client, stopping

log = logging.getLogger("darkroom.storage")

# Reading a page of vectors holds the lock of the embedded engine, and the GIL, for about ten milliseconds.
PAGE_POINTS = 256
# Vectors that take more bytes than this lie in a file.
MOST_IN_MEMORY = 256 * 2**20
# The share of the work that is reading the vectors, for the progress bar.
READING_SHARE = 0.3


class DuplicateSearch:
    """Groups the points of a collection: byte-identical ones, or with `near` those with at least that cosine.

    `done` is the share that is done, `points` how many were read. It ends early, with whatever it has, when `is_over`.
    Very many vectors lie in a file without a name in the folder `scratch`.
    """

    def __init__(
        self,
        catalog: Catalog,
        near: float | None,
        where: dict[str, Any] | None,
        is_over: Callable[[], bool],
        scratch: Path,
        linkage: Linkage = "single",
    ) -> None:
        self._catalog = catalog
        self._near = near
        self._where = where
        self._is_over = is_over
        self._scratch = scratch
        self._linkage = linkage
        self.done = 0.0
        self.points = 0

    def find(self) -> list[Group]:
        """The groups, the largest first, each in the order of the URIs."""
        return self._copies() if self._near is None else self._near_ones(self._near)

    def _copies(self) -> list[Group]:
        count = self._catalog.count(self._where)
        groups = Groups(count)
        found: list[tuple[str, str]] = []
        first_numbers: dict[str, int] = {}
        for number, point in enumerate(self._points(count, with_vectors=False)):
            found.append((point.payload["uri"], point.id))
            first = first_numbers.setdefault(point.payload.get("sha256") or point.id, number)
            groups.link(first, number)
            self.done = self.points / count
        return [[(id_, 1.0) for _, id_ in sorted(found[member] for member in group)] for group in groups.as_lists()]

    def _near_ones(self, threshold: float) -> list[Group]:
        count = self._catalog.count(self._where)
        vectors: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
        found: list[tuple[str, str]] = []
        for number, point in enumerate(self._points(count, with_vectors=True)):
            if not found:
                vectors = _room_for(count, len(point.vector), self._scratch)
            vectors[number] = point.vector
            found.append((point.payload["uri"], point.id))
            self.done = READING_SHARE * self.points / count
        vectors = vectors[: len(found)]

        def progress(share: float) -> None:
            self.done = READING_SHARE + (1 - READING_SHARE) * share

        chains = near_groups(vectors, threshold, progress, self._is_over) if found else []
        divisions = [group for chain in chains for group in divided(vectors, chain, threshold, self._linkage)]
        groups = []
        for members in sorted(divisions, key=len, reverse=True):
            members.sort(key=found.__getitem__)
            cosines = vectors[members] @ vectors[members[0]]
            groups.append([(found[member][1], float(cosine)) for member, cosine in zip(members, cosines, strict=True)])
        return groups

    def _points(self, limit: int, with_vectors: bool) -> Iterator[Point]:
        after: str | None = None
        while not self._is_over():
            page, after = self._catalog.scroll(self._where, PAGE_POINTS, after, with_vectors, ["uri", "sha256"])
            for point in page:
                # Points that were added meanwhile may exceed the arrays; the next search sees them.
                if self.points == limit:
                    return
                self.points += 1
                yield point
            if after is None:
                return


def _room_for(count: int, dim: int, folder: Path) -> NDArray[np.float32]:
    """Room for vectors, float32 (count, dim): for many of them a file without a name.

    The system may take its pages back, where it could only swap memory. Without twice the room on the disk it is memory
    all the same: a file that cannot be written when it is mapped kills the process.
    """
    size = 4 * count * dim
    if size > MOST_IN_MEMORY and hasattr(os, "posix_fallocate"):
        with suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
            if shutil.disk_usage(folder).free > 2 * size:
                os.posix_fallocate(file.fileno(), 0, size)
                return np.memmap(file, np.float32, shape=(count, dim))
    return np.empty((count, dim), dtype=np.float32)


FIELDS = ["uri", "sha256", "caption", "bytes", "mtime", "format", "width", "height", "taken_at", "camera"]


@answers(DUPLICATES)
def duplicates(
    token: str,
    near: float | None,
    where: dict[str, Any] | None,
    offset: int = 0,
    linkage: Linkage = "single",
    keep: list[str] | None = None,
) -> dict[str, Any]:
    """The progress of the search `token`, which its first request starts; then its groups, page by page.

    {"done": 0 to 1} while it runs; then also "points": how many were read, "total": how many groups there are,
    "groups": those of the page `offset`, each a list of {"uri", "score": the cosine to the first of its group,
    ...facts}, and "next": the next page, None at the end. The one to keep by the rules `keep` comes first; without
    rules it is the first address. Each request may reach another storage worker: there is one search for all of them.
    If its worker dies another one begins it anew.
    """
    return _answer(token, near, where, offset, linkage, keep or [])


def _answer(
    token: str,
    near: float | None,
    where: dict[str, Any] | None,
    number: int,
    linkage: Linkage = "single",
    keep: Sequence[str] = (),
) -> dict[str, Any]:
    kept_first([], keep)  # rules that nobody knows are told at once
    shared = SharedSearch(client(), token)
    state = shared.look()
    if state.failure is not None:
        raise state.failure
    if (found := state.found) is None:
        if number:
            raise DarkroomError("The result of the search is lost: search again.")
        if run := shared.take(stopping):
            search = DuplicateSearch(catalog(), near, where, run.is_over, load_settings().data.dir, linkage)
            threading.Thread(target=_carry_out, args=(search, run), name="duplicates", daemon=True).start()
        return {"done": state.done}
    page = shared.page(found, number) if found.pages else []
    groups = _groups(catalog(), page, keep, is_near=near is not None)
    return {
        "done": 1.0,
        "points": found.points,
        "total": found.total,
        "groups": [group for group in groups if len(group) > 1],
        "next": number + 1 if number + 1 < found.pages else None,
    }


def _groups(store: Catalog, page: Sequence[Group], keep: Sequence[str], is_near: bool) -> list[list[dict[str, Any]]]:
    """The groups of a page with their facts, without the pictures that were removed meanwhile."""
    points = store.points([id_ for group in page for id_, _ in group], FIELDS, with_vectors=bool(keep) and is_near)
    groups = []
    for group in page:
        rows = [{"score": score, **points[id_].payload} for id_, score in group if id_ in points]
        if keep and rows:
            rows = kept_first(rows, keep)
            if is_near:
                vector_of = {points[id_].payload["uri"]: points[id_].vector for id_, _ in group if id_ in points}
                first = vector_of[rows[0]["uri"]]
                rows = [{**row, "score": float(vector_of[row["uri"]] @ first)} for row in rows]
        groups.append(rows)
    return groups


def _carry_out(search: DuplicateSearch, run: Run) -> None:
    """Run a search to its end, and renew its lease meanwhile."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_SECONDS):
            run.renew(search.done)

    threading.Thread(target=renew, name="duplicates lease", daemon=True).start()
    try:
        groups = search.find()
        if not run.is_over():
            run.finish(groups, search.points)
    except DarkroomError as error:
        run.fail(error)
    except Exception as error:  # the person who waits for the groups gets a sentence, whatever it was
        log.exception("a search for duplicates failed")
        run.fail(DarkroomError(f"The search for duplicates failed ({type(error).__name__}: {error})."))
    finally:
        run.release()
        ended.set()
