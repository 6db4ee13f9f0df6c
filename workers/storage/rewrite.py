"""New payloads for points that were read before; what others write meanwhile is newer, and stays."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from workers.storage.catalog import Catalog, Point


def rewrite(store: Catalog, changed: Sequence[tuple[Point, dict[str, Any]]]) -> None:
    """Give each of these points, whole with its vector, this payload, unless it was deleted or stored anew meanwhile.

    Raises what `upsert` raises. A server may have other writers than this process: for those an instant remains between
    the look and the write.
    """
    if not changed:
        return
    with store.alone():
        now = store.payloads([point.id for point, _ in changed], None)
        same = [replace(point, payload=payload) for point, payload in changed if now.get(point.id) == point.payload]
        if same:
            store.upsert(same)
