"""The answers for the upkeep of a collection, asked as the producer asks them: tasks with msgpack in between."""

from typing import Any

import msgpack
import numpy as np
import pytest

import workers.storage.state
from pictures.uris import point_id
from settings.errors import WrongUse
from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage import queries as library
from workers.storage.catalog import Catalog, Point


@pytest.fixture
def filled(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """Ten pictures whose ids are made from their URIs, in the catalog of this process."""
    pictures = [picture(number) for number in range(10)]
    catalog.upsert([Point(point_id(each.payload["uri"]), each.vector, each.payload) for each in pictures])
    monkeypatch.setattr(workers.storage.state, "_catalog", catalog)
    return catalog


def asked(task: Any, **arguments: Any) -> Any:
    """The answer of a task, after the way over the broker and back."""
    return msgpack.unpackb(msgpack.packb(task(**msgpack.unpackb(msgpack.packb(arguments)))))


def test_pages_visit_every_point_once_with_the_fields_that_are_asked_for(filled: Catalog) -> None:
    seen, after = [], None
    while True:
        found = asked(library.scroll, where=None, limit=4, after=after, fields=["uri", "lens2"])
        assert (found["vectors"], found["dim"]) == (b"", 0)
        assert all(payload.keys() == {"uri"} for payload in found["payloads"])
        assert found["ids"] == [point_id(payload["uri"]) for payload in found["payloads"]]
        seen += [payload["uri"] for payload in found["payloads"]]
        after = found["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(picture(number).payload["uri"] for number in range(10))


def test_vectors_travel_as_float32_row_after_row(filled: Catalog) -> None:
    found = asked(library.scroll, where=None, limit=20, with_vectors=True)
    rows = np.frombuffer(found["vectors"], dtype="<f4").reshape(-1, found["dim"])
    assert rows.shape == (10, DIM)
    for payload, row in zip(found["payloads"], rows, strict=True):
        number = int(payload["name"].split(".")[0])
        assert payload == picture(number).payload
        np.testing.assert_allclose(row, picture(number).vector, atol=1e-6)


def test_a_page_of_nothing_has_no_vectors(filled: Catalog) -> None:
    where = {"all": [{"field": "format", "is": "BMP"}]}
    found = asked(library.scroll, where=where, limit=5, with_vectors=True)
    assert found == {"ids": [], "payloads": [], "vectors": b"", "dim": 0, "next": None}


def test_facts_come_in_the_order_of_the_files(filled: Catalog) -> None:
    uris = [picture(3).payload["uri"], "file:///nowhere.png", picture(0).payload["uri"]]
    assert asked(library.facts, uris=uris, fields=["bytes"]) == [{"bytes": 1003}, None, {"bytes": 1000}]


def test_facets_and_counts(filled: Catalog) -> None:
    assert asked(library.facet, field="format") == [["JPEG", 4], ["PNG", 3], ["WEBP", 3]]
    assert asked(library.facet, field="height") == [[80, 10]]
    assert asked(library.counts, wheres=[None, {"all": [{"field": "format", "is": "PNG"}]}]) == [10, 3]
    with pytest.raises(WrongUse, match="cannot be counted"):
        library.facet(field="caption")


def test_deleting_tells_how_many_there_were(filled: Catalog) -> None:
    uris = [picture(3).payload["uri"], "file:///nowhere.png"]
    assert asked(library.delete, uris=uris) == 1
    assert asked(library.delete, uris=uris) == 0
    assert filled.count() == 9


def test_a_rebuild_removes_another_models_points_once(filled: Catalog) -> None:
    assert asked(library.rebuild, dim=DIM, clip_model=MODEL) == 0
    assert filled.count() == 10
    assert asked(library.rebuild, dim=3, clip_model="other/clip") == 10
    assert (filled.count(), filled.clip_model()) == (0, "other/clip")
    filled.upsert([Point(point_id("file:///a.png"), np.ones(3, dtype=np.float32), {"uri": "file:///a.png"})])
    assert asked(library.rebuild, dim=3, clip_model="other/clip") == 0
    assert filled.count() == 1
