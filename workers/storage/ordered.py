"""A page of the points that a filter lets through, in an order over all of them: by time, by name, by size."""

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Any

from settings.errors import WrongUse
from tasks.orders import ORDERS, place_in_order
from tasks.queues import ORDERED
from tasks.rpc.answers import answers
from workers.storage.catalog import Catalog, Point
from workers.storage.state import catalog

PAGE_POINTS = 1000


@answers(ORDERED, once=True)
def ordered(
    where: dict[str, Any] | None, order: str | None, offset: int, limit: int, descending: bool = False
) -> list[dict[str, Any]]:
    """The payloads of `limit` points behind the first `offset` ones, in one of ORDERS; None is that of the store."""
    return page(catalog(), where, order, offset, limit, descending)


def page(
    store: Catalog, where: dict[str, Any] | None, order: str | None, offset: int, limit: int, descending: bool = False
) -> list[dict[str, Any]]:
    """What `ordered` answers, of a catalog.

    Every point that the filter lets through is looked at: an index gives no exact order where values are equal, and
    leaves out the points that have none. Memory grows with offset + limit, not with the collection.
    """
    if order is None:
        ids = [point.id for point in islice(_points(store, where, []), offset, offset + limit)]
    elif order in ORDERS:
        places = (
            (*place_in_order(point.payload, order, descending), point.id)
            for point in _points(store, where, [ORDERS[order][0], "uri"])
        )
        first = (heapq.nlargest if descending else heapq.nsmallest)(offset + limit, places)
        ids = [place[-1] for place in first[offset:]]
    else:
        raise WrongUse(f"There is no order {order!r}: take one of {', '.join(ORDERS)}.")
    payloads = store.payloads(ids, None)
    return [payloads[id_] for id_ in ids if id_ in payloads]


def _points(store: Catalog, where: dict[str, Any] | None, fields: list[str]) -> Iterator[Point]:
    after: str | None = None
    while True:
        points, after = store.scroll(where, PAGE_POINTS, after, fields=fields)
        yield from points
        if after is None:
            return
