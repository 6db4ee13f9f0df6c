"""Patterns become the values that match them; what they find is tested in test_where_brute_force.py."""

from collections.abc import Iterable

import pytest

from settings.errors import WrongUse
from workers.storage.patterns import MAX_VALUES, expand_patterns
from workers.storage.where import In, Is, Like, Where

LENSES = ["EF50mm f/1.8 STM", "[kit] 18-55mm", "18-55mm", "Äußerst 50"]


def values(field: str, limit: int) -> Iterable[object]:
    assert field == "lens"
    return [*LENSES, 7][:limit]


@pytest.mark.parametrize(
    ("patterns", "matching"),
    [
        (["*50*"], [LENSES[0], LENSES[3]]),
        (["[KIT]*"], [LENSES[1]]),
        (["1?-55mm", "äuSSerst*"], [LENSES[2], LENSES[3]]),
        (["50"], []),
        (["*"], LENSES),
        ([], []),
    ],
)
def test_a_pattern_becomes_the_texts_that_match_it(patterns: list[str], matching: list[str]) -> None:
    other = Is("format", "PNG")
    for where in (Where([other], [Like("lens", patterns)], []), Where([], [], [Like("lens", patterns), other])):
        expanded = expand_patterns(where, values)
        assert expanded is not None
        expected = In("lens", list(matching))
        assert expected in [*expanded.any, *expanded.none]
        assert other in [*expanded.all, *expanded.none]


def test_without_patterns_no_value_is_asked_for() -> None:
    def never(field: str, limit: int) -> Iterable[object]:
        raise AssertionError

    assert expand_patterns(None, never) is None
    where = Where([Is("format", "PNG")], [], [])
    assert expand_patterns(where, never) == where


def test_a_field_of_too_many_values_is_refused_by_name() -> None:
    with pytest.raises(WrongUse, match=r"sha256 has more than 20,000 different values"):
        expand_patterns(
            Where([Like("sha256", ["a*"])], [], []), lambda field, limit: [str(n) for n in range(MAX_VALUES + 1)]
        )
