"""The storage worker's answer to who is the same as whom: a search that runs by itself, and questions after it."""

import threading
from typing import Any

from tasks.app import app
from tasks.queues import DUPLICATES
from tasks.rpc import answer
from workers.storage.duplicate_search import DuplicateSearch
from workers.storage.process import catalog, point_id, stopping

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
        facts = catalog().known([point_id(uri) for group in page for uri, _ in group], FIELDS)
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

    return answer(work)


def _search(token: str, near: float | None, where: dict[str, Any] | None) -> DuplicateSearch:
    with _lock:
        for name in [name for name, search in _searches.items() if search.is_abandoned()]:
            del _searches[name]
        if token not in _searches:
            _searches[token] = DuplicateSearch(catalog(), near, where, stopping)
            _searches[token].start()
        _searches[token].asked()
        return _searches[token]
