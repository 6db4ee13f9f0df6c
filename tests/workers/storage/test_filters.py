"""A filter means the same in both homes of the catalog, and to every question that takes one."""

from collections.abc import Callable
from typing import Any

import pytest

from settings.errors import WrongUse
from tests.workers.storage.pictures import identity, picture
from workers.storage.catalog import Catalog


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        (None, range(10)),
        ({}, range(10)),
        ({"all": []}, range(10)),
        ({"all": [{"field": "format", "is": "PNG"}]}, [1, 4, 7]),
        ({"all": [{"field": "bytes", "is": 1003}]}, [3]),
        ({"all": [{"field": "format", "in": ["PNG", "JPEG"]}]}, [0, 1, 3, 4, 6, 7, 9]),
        ({"all": [{"field": "format", "in": []}]}, []),
        ({"all": [{"field": "width", "from": 200, "to": 500}]}, [2, 3, 4]),
        ({"all": [{"field": "width", "from": 750.5}]}, [8, 9]),
        ({"all": [{"field": "taken_at", "to": "2024-01-03T12:00:00"}]}, [0, 1]),
        ({"all": [{"field": "taken_at", "from": "2024-01-08", "to": "2024-01-09T15:00+02:00"}]}, [7, 8]),
        ({"all": [{"field": "caption", "text": "SQUARE red"}]}, [1, 3, 5, 7, 9]),
        ({"all": [{"field": "caption", "text": "red triangle"}]}, []),
        ({"all": [{"field": "gps", "near": [53.0, 10.0, 120]}]}, [2, 3, 4]),
        ({"all": [{"field": "camera", "exists": True}]}, [1, 3, 5, 7, 9]),
        ({"all": [{"field": "camera", "exists": False}]}, [0, 2, 4, 6, 8]),
        ({"none": [{"field": "camera", "exists": True}]}, [0, 2, 4, 6, 8]),
        ({"any": [{"field": "camera", "exists": False}, {"field": "bytes", "is": 1001}]}, [0, 1, 2, 4, 6, 8]),
        (
            {
                "all": [{"field": "width", "from": 100}],
                "any": [{"field": "format", "is": "PNG"}, {"field": "format", "is": "WEBP"}],
                "none": [{"field": "camera", "is": "X100"}],
            },
            [2, 4, 8],
        ),
    ],
)
def test_filters_mean_the_same_everywhere(filled: Catalog, where: dict[str, Any] | None, numbers: Any) -> None:
    expected = {identity(number) for number in numbers}
    assert filled.count(where) == len(expected)
    assert {hit.id for hit in filled.search(picture(0).vector, 100, where)} == expected
    assert {point.id for point in filled.scroll(where, 100)[0]} == expected
    assert sum(filled.facet("format", where).values()) == len(expected)


@pytest.mark.parametrize("ask", ["search", "scroll", "facet", "count"])
def test_a_filter_of_unknown_shape_is_refused(filled: Catalog, ask: str) -> None:
    where: dict[str, Any] = {"all": [{"field": "format", "like": "P%"}]}
    asks: dict[str, Callable[[], object]] = {
        "search": lambda: filled.search(picture(0).vector, 1, where),
        "scroll": lambda: filled.scroll(where, 1),
        "facet": lambda: filled.facet("format", where),
        "count": lambda: filled.count(where),
    }
    with pytest.raises(WrongUse, match="like"):
        asks[ask]()
