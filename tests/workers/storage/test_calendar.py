"""Days and years are those that the camera had, wherever it was, in both homes of the catalog."""

from collections.abc import Callable

import numpy as np
import pytest

from producer.collection.where import parse_conditions
from tests.workers.storage.pictures import DIM, identity
from workers.storage.catalog import Catalog, Point

# The local time stands beside a time with an offset, and beside one whose day is not known.
PICTURES = [
    {"taken_at": "2024-01-01T00:30:00+02:00", "taken_local": "2024-01-01T00:30:00"},
    {"taken_at": "2023-12-31T23:00:00-08:00", "taken_local": "2023-12-31T23:00:00"},
    {"taken_at": "2024-01-01T12:00:00"},
    {"taken_at": "2003-09-10"},
    {"taken_at": "1988", "taken_local": "1988-01-01"},
    {"taken_at": "1988-07", "taken_local": "1988-07-01"},
    # As releases stored it that knew no local time: it counts in UTC.
    {"taken_at": "2024-01-01T00:30:00+02:00"},
    {},
]


@pytest.fixture
def found(catalog: Catalog) -> Callable[[str], list[int]]:
    """The numbers of the pictures that a condition lets through."""
    vector = np.full(DIM, DIM**-0.5, dtype=np.float32)
    catalog.upsert([Point(identity(number), vector, payload) for number, payload in enumerate(PICTURES)])

    def ask(condition: str) -> list[int]:
        ids = {point.id for point in catalog.scroll(parse_conditions([condition]), 100)[0]}
        assert catalog.count(parse_conditions([condition])) == len(ids)
        return [number for number in range(len(PICTURES)) if identity(number) in ids]

    return ask


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("taken=2024", [0, 2]),
        ("taken=2024-01-01", [0, 2]),
        ("taken=2023-12-31", [1, 6]),
        ("taken=2023", [1, 6]),
        ("taken>=2024", [0, 2]),
        ("taken<2024", [1, 3, 4, 5, 6]),
        ("taken!=2024", [1, 3, 4, 5, 6, 7]),
        ("taken=2024-01-01T00:30", [0]),
        ("taken=2003-09-10", [3]),
        ("taken=2003-09", [3]),
        ("taken=1988", [4, 5]),
        ("taken=1988-07", [5]),
        ("has:taken", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_calendar_is_that_of_the_camera(
    found: Callable[[str], list[int]], condition: str, numbers: list[int]
) -> None:
    assert found(condition) == numbers


def test_a_condition_with_a_zone_asks_for_a_moment(found: Callable[[str], list[int]]) -> None:
    assert found("taken=2023-12-31T22:30Z") == [0, 6]
    assert found("taken>=2024-01-01T07:00+00:00") == [1, 2]
