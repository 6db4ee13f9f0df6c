"""Filters travel as small dicts from other machines: whatever does not look like one is refused in a sentence."""

from typing import Any

import pytest

from settings.errors import WrongUse
from workers.storage.where import During, In, Is, Where, parse_where


def test_no_filter_is_no_filter() -> None:
    assert parse_where(None) is None
    assert parse_where({}) is None


def test_conditions_keep_their_place() -> None:
    where = {"all": [{"field": "format", "is": "PNG"}], "none": [{"field": "bytes", "in": [1, 2]}]}
    assert parse_where(where) == Where([Is("format", "PNG")], [], [In("bytes", [1, 2])])


def test_times_without_a_zone_are_utc() -> None:
    parsed = parse_where({"all": [{"field": "taken_at", "from": "2024-05-01", "to": "20240601T10:00:00+02:00"}]})
    assert parsed == Where(
        [During("taken_at", "2024-05-01T00:00:00+00:00", "2024-06-01T10:00:00+02:00")],
        [],
        [],
    )


@pytest.mark.parametrize("where", [[], "all", {"every": []}, {"all": {"field": "format", "is": "PNG"}}, 0, False])
def test_a_filter_that_is_no_dict_of_lists_is_refused(where: Any) -> None:
    with pytest.raises(WrongUse, match=r"filter"):
        parse_where(where)


@pytest.mark.parametrize(
    "condition",
    [
        "format",
        {},
        {"field": "format"},
        {"is": "PNG"},
        {"field": "", "is": "PNG"},
        {"field": 3, "is": "PNG"},
        {"field": "format", "is": None},
        {"field": "format", "is": 1.5},
        {"field": "format", "is": True},
        {"field": "bytes", "is": 2**63},
        {"field": "format", "is": "PNG", "in": ["PNG"]},
        {"field": "format", "in": "PNG"},
        {"field": "format", "in": ["PNG", 1]},
        {"field": "width", "from": None},
        {"field": "width", "from": "wide"},
        {"field": "width", "from": 1, "to": "2024-01-01"},
        {"field": "width", "from": float("nan")},
        {"field": "width", "from": 1, "step": 2},
        {"field": "caption", "text": "  "},
        {"field": "gps", "near": [1, 2]},
        {"field": "gps", "near": [91, 0, 1]},
        {"field": "gps", "near": [0, 181, 1]},
        {"field": "gps", "near": [0, 0, 0]},
        {"field": "gps", "near": ["0", 0, 1]},
        {"field": "lens", "exists": 1},
        {"field": "uri", "prefix": ""},
        {"field": "uri", "prefix": []},
        {"field": "uri", "prefix": ["a", ""]},
        {"field": "caption", "text": "--"},
        {"field": "camera", "like": "Canon*"},
        {"field": "camera", "like": ["Canon*", 1]},
        {"field": "caption", "like": ["red*"]},
        {"field": "unheard_of", "like": ["red*"]},
    ],
)
@pytest.mark.parametrize("key", ["all", "any", "none"])
def test_an_unknown_condition_is_refused(key: str, condition: Any) -> None:
    with pytest.raises(WrongUse, match="Unknown condition"):
        parse_where({key: [condition]})
