"""A search for duplicates over a whole collection, in both homes of the catalog."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from tests.workers.storage.pictures import identity, picture
from workers.storage import duplicates as duplicate_search
from workers.storage.catalog import Catalog, Point
from workers.storage.duplicates import DuplicateSearch


def searched(catalog: Catalog, near: float | None, where: dict[str, Any] | None = None) -> DuplicateSearch:
    search = DuplicateSearch(catalog, near, where, threading.Event())
    search.run()
    return search


def numbers(search: DuplicateSearch) -> list[list[int]]:
    """The pictures of each group by their numbers."""
    assert search.groups is not None
    return [[int(uri.rsplit("/", 1)[-1].removesuffix(".jpg")) for uri, _ in group] for group in search.groups]


def turned(number: int, like: int, cosine: float) -> Point:
    """Picture `number`, whose vector has this cosine with that of picture `like`."""
    base, other = picture(like).vector, picture(number).vector
    away = other - (other @ base) * base
    vector = cosine * base + np.sqrt(1 - cosine**2) * away / np.linalg.norm(away)
    return Point(identity(number), vector.astype(np.float32), picture(number).payload)


def test_copies_are_grouped_by_their_bytes_the_largest_group_first(filled: Catalog, monkeypatch: Any) -> None:
    monkeypatch.setattr(duplicate_search, "PAGE_POINTS", 4)
    filled.upsert([picture(number, sha256="aa") for number in (3, 7)])
    filled.upsert([picture(number, sha256="bb") for number in (1, 4, 21)])
    search = searched(filled, None)
    assert numbers(search) == [[1, 21, 4], [3, 7]]
    assert (search.points, search.done) == (11, 1.0)
    assert {score for group in search.groups or [] for _, score in group} == {1.0}


def test_near_ones_are_grouped_with_their_cosine_to_the_first(filled: Catalog, monkeypatch: Any) -> None:
    monkeypatch.setattr(duplicate_search, "PAGE_POINTS", 4)
    filled.upsert([turned(20, 3, 0.97), turned(21, 3, 0.93), turned(22, 5, 0.951)])
    search = searched(filled, 0.95)
    assert sorted(numbers(search)) == [[20, 3], [22, 5]]
    assert [[score for _, score in group] for group in search.groups or []] == [
        pytest.approx([1.0, 0.97], abs=1e-4)
        if group[0][0].endswith("20.jpg")
        else pytest.approx([1.0, 0.951], abs=1e-4)
        for group in search.groups or []
    ]
    assert search.done == 1.0


def test_only_pictures_that_the_filter_lets_through_are_compared(filled: Catalog) -> None:
    filled.upsert([picture(number, sha256="aa", format="PNG" if number < 5 else "JPEG") for number in (3, 4, 7)])
    png = {"all": [{"field": "format", "is": "PNG"}]}
    assert numbers(searched(filled, None, png)) == [[3, 4]]
    assert numbers(searched(filled, 0.999, png)) == []


def test_an_empty_collection_has_no_duplicates(empty: Catalog, catalog: Catalog) -> None:
    for near in (None, 0.9):
        search = searched(catalog, near)
        assert (search.groups, search.points) == ([], 0)


def test_a_mistake_is_told_as_a_sentence(filled: Catalog) -> None:
    search = searched(filled, None, {"all": [{"field": "format", "resembles": "P"}]})
    assert search.groups is None
    assert "resembles" in str(search.failure)


def test_a_search_that_nobody_asks_after_ends_by_itself(filled: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    search = DuplicateSearch(filled, None, None, threading.Event())
    monkeypatch.setattr(duplicate_search, "ABANDONED_SECONDS", 0.0)
    time.sleep(0.001)
    assert search.is_abandoned()
    search.run()
    assert search.points == 0
