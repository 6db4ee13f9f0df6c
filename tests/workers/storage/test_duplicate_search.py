"""A search for duplicates over a whole collection, in both homes of the catalog."""

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.workers.storage.pictures import identity, picture
from workers.storage.catalog import Catalog, Point
from workers.storage.duplicates import search as duplicate_search
from workers.storage.duplicates.search import DuplicateSearch
from workers.storage.duplicates.shared_search import Group

NUMBERS = {identity(number): number for number in range(30)}
# So few vectors lie in memory.
NOWHERE = Path("/nowhere")
Numbers = list[list[int]]


def searched(
    catalog: Catalog, near: float | None, where: dict[str, Any] | None = None, scratch: Path = NOWHERE
) -> tuple[Numbers, list[Group]]:
    """The pictures of each group by their numbers, and the groups."""
    search = DuplicateSearch(catalog, near, where, lambda: False, scratch)
    groups = search.find()
    assert search.done == (1.0 if search.points else 0.0)
    return [[NUMBERS[id_] for id_, _ in group] for group in groups], groups


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
    numbers, groups = searched(filled, None)
    assert numbers == [[1, 21, 4], [3, 7]]
    assert {score for group in groups for _, score in group} == {1.0}


def test_near_ones_are_grouped_with_their_cosine_to_the_first(filled: Catalog, monkeypatch: Any) -> None:
    monkeypatch.setattr(duplicate_search, "PAGE_POINTS", 4)
    filled.upsert([turned(20, 3, 0.97), turned(21, 3, 0.93), turned(22, 5, 0.951)])
    numbers, groups = searched(filled, 0.95)
    assert sorted(numbers) == [[20, 3], [22, 5]]
    cosines = {NUMBERS[group[0][0]]: [cosine for _, cosine in group] for group in groups}
    assert cosines == {20: pytest.approx([1.0, 0.97], abs=1e-4), 22: pytest.approx([1.0, 0.951], abs=1e-4)}


@pytest.mark.parametrize("hindered", ["", "no room", "room that goes"])
def test_many_vectors_lie_in_a_file_that_nobody_sees_and_in_memory_where_the_disk_has_no_room(
    filled: Catalog, tmp_path: Path, hindered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.upsert([turned(20, 3, 0.97)])
    monkeypatch.setattr(duplicate_search, "MOST_IN_MEMORY", 0)
    if hindered == "no room":
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    elif hindered:
        monkeypatch.setattr("os.posix_fallocate", no_room)
    assert searched(filled, 0.95, scratch=tmp_path)[0] == [[20, 3]]
    assert isinstance(duplicate_search._room_for(3, 4, tmp_path), np.memmap) == (not hindered)
    assert list(tmp_path.iterdir()) == []


def no_room(*_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_only_pictures_that_the_filter_lets_through_are_compared(filled: Catalog) -> None:
    filled.upsert([picture(number, sha256="aa", format="PNG" if number < 5 else "JPEG") for number in (3, 4, 7)])
    png = {"all": [{"field": "format", "is": "PNG"}]}
    assert searched(filled, None, png)[0] == [[3, 4]]
    assert searched(filled, 0.999, png)[0] == []


def test_an_empty_collection_has_no_duplicates(empty: Catalog, catalog: Catalog) -> None:
    for near in (None, 0.9):
        assert searched(catalog, near) == ([], [])


def test_a_search_that_is_over_reads_no_more(filled: Catalog) -> None:
    search = DuplicateSearch(filled, None, None, lambda: True, NOWHERE)
    search.find()
    assert search.points == 0
