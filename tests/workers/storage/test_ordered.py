"""Pictures in an order over all of them, a page at a time, by both homes of the catalog."""

from typing import Any

import msgpack
import numpy as np
import pytest

import workers.storage.state
from pictures.uris import point_id
from settings.errors import WrongUse
from tests.workers.storage.pictures import DIM, MODEL
from workers.storage import ordered
from workers.storage.catalog import Catalog, Point

TAKEN = [
    "2024-01-01T00:30:00+02:00",  # before the next one by the moment, after it by the clocks of the cameras
    "2023-12-31T23:50:00-08:00",
    None,
    "2024-01-01T00:30:00",
    "2021-07-14",
    "2021-07-14T10:00:00.250000",
]
NAMES = ["b.jpg", "A.jpg", "c.jpg", "a.jpg", "ä.jpg", "B.jpg"]


@pytest.fixture
def store(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """Six pictures whose facts are in no order, and ids that are hashes of their addresses; each seven times over."""
    points = []
    for copy in range(7):
        for number, (taken, name) in enumerate(zip(TAKEN, NAMES, strict=True)):
            uri = f"file:///p/{copy:02}/{name}"
            payload = {"uri": uri, "name": name, "format": "JPEG" if copy else "PNG", "bytes": 100 * (number % 3)}
            vector = np.full(DIM, DIM**-0.5, dtype=np.float32)
            points.append(Point(point_id(uri), vector, payload | ({"taken_at": taken} if taken else {})))
    catalog.upsert([Point(each.id, each.vector, {**each.payload, "clip_model": MODEL}) for each in points])
    monkeypatch.setattr(workers.storage.state, "_catalog", catalog)
    monkeypatch.setattr(ordered, "PAGE_POINTS", 7)
    return catalog


def asked(**arguments: Any) -> list[dict[str, Any]]:
    """The answer, after the way over the broker and back."""
    question = {"where": None, "order": None, "offset": 0, "limit": 1000, **arguments}
    found: list[dict[str, Any]] = msgpack.unpackb(msgpack.packb(ordered.ordered(**question)))
    return found


FIRST = {"all": [{"field": "uri", "prefix": "file:///p/00/"}]}


def test_by_the_clock_of_the_camera_and_what_has_no_time_comes_last_either_way(store: Catalog) -> None:
    names = [row["name"] for row in asked(where=FIRST, order="taken")]
    assert names == ["ä.jpg", "B.jpg", "A.jpg", "a.jpg", "b.jpg", "c.jpg"]
    reverse = [row["name"] for row in asked(where=FIRST, order="taken", descending=True)]
    assert reverse == ["b.jpg", "a.jpg", "A.jpg", "B.jpg", "ä.jpg", "c.jpg"]


def test_by_name_upper_and_lower_case_are_the_same(store: Catalog) -> None:
    assert [row["name"] for row in asked(where=FIRST, order="name")] == [
        "A.jpg",
        "a.jpg",
        "B.jpg",
        "b.jpg",
        "c.jpg",
        "ä.jpg",
    ]


@pytest.mark.parametrize("order", [None, "taken", "name", "bytes"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_put_together_are_the_whole_in_its_order(store: Catalog, order: str | None, descending: bool) -> None:
    whole = asked(order=order, descending=descending)
    assert len(whole) == len({row["uri"] for row in whole}) == 42
    pages = [asked(order=order, descending=descending, offset=start, limit=11) for start in range(0, 44, 11)]
    assert [row for page in pages for row in page] == whole
    if order == "bytes":
        sizes = [row["bytes"] for row in whole]
        assert sizes == sorted(sizes, reverse=descending)


def test_a_filter_holds_and_payloads_are_whole(store: Catalog) -> None:
    rows = asked(where={"all": [{"field": "format", "is": "PNG"}]}, order="bytes", limit=1)
    assert rows == [store.payloads([point_id(rows[0]["uri"])], None)[point_id(rows[0]["uri"])]]
    assert (rows[0]["format"], rows[0]["bytes"], rows[0]["clip_model"]) == ("PNG", 0, MODEL)


def test_an_order_that_nobody_knows_is_refused_by_name(store: Catalog) -> None:
    with pytest.raises(WrongUse, match="There is no order 'colour': take one of taken, name, bytes"):
        asked(order="colour")


def test_an_empty_collection_has_an_empty_order(empty: Catalog) -> None:
    assert ordered.page(empty, None, "taken", 0, 10) == []


def test_a_search_leaves_out_the_first_ones(catalog: Catalog) -> None:
    vectors = np.eye(DIM, dtype=np.float32)[:5] + np.linspace(0, 0.5, 5, dtype=np.float32)[:, None]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalog.upsert(
        [Point(point_id(f"file:///{n}"), vector, {"uri": f"file:///{n}"}) for n, vector in enumerate(vectors)]
    )
    whole = [hit.id for hit in catalog.search(vectors[0], 5)]
    assert len(whole) == 5
    assert [hit.id for hit in catalog.search(vectors[0], 2, None, 2)] == whole[2:4]
    assert catalog.search(vectors[0], 2, None, 5) == []
