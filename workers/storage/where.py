"""Filters: the dicts in which messages carry them, and the conditions into which they are parsed.

    {"all": [condition, ...], "any": [condition, ...], "none": [condition, ...]}

All of "all", at least one of "any" (if it is not empty) and none of "none" must hold. A condition is one of

    {"field": "format", "is": "JPEG"}                      exactly this text or whole number
    {"field": "camera", "in": ["X100", "D850"]}            one of these texts or whole numbers
    {"field": "width", "from": 1000, "to": 2000}           from inclusive, to exclusive; one of the two is enough
    {"field": "taken_at", "from": "2024-01-01"}            the same with ISO dates or times; without a zone they are UTC
    {"field": "uri", "prefix": "file:///photos/2024/"}     a text that begins with exactly this
    {"field": "camera", "like": ["Canon*", "X100?"]}       one of these patterns in any case, for keyword indexes
    {"field": "caption", "text": "red circle"}             all these words, in any order
    {"field": "gps", "near": [52.52, 13.4, 5]}             within 5 km of this latitude and longitude
    {"field": "lens", "exists": true}                      has a value that is not null (false: has none)
"""

import fnmatch
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from settings.errors import WrongUse
from workers.storage.catalog import INDEXES


@dataclass(frozen=True)
class Is:
    """The field has exactly this value."""

    field: str
    value: str | int


@dataclass(frozen=True)
class In:
    """The field has one of these values, which are all texts or all whole numbers."""

    field: str
    values: list[str] | list[int]


@dataclass(frozen=True)
class Prefix:
    """The text begins with exactly `start`."""

    field: str
    start: str


@dataclass(frozen=True)
class Like:
    """The text, or one of the texts in a list, matches one of these patterns; case makes no difference."""

    field: str
    patterns: list[str]


@dataclass(frozen=True)
class Between:
    """start <= number < end; an end that is None is open."""

    field: str
    start: float | None
    end: float | None


@dataclass(frozen=True)
class During:
    """start <= time < end, as ISO texts with a zone; an end that is None is open."""

    field: str
    start: str | None
    end: str | None


@dataclass(frozen=True)
class Words:
    """The text has all these words."""

    field: str
    text: str


@dataclass(frozen=True)
class Near:
    """The position is within `km` kilometres of latitude and longitude (degrees)."""

    field: str
    lat: float
    lon: float
    km: float


@dataclass(frozen=True)
class Exists:
    """The field has a value (if `wanted`) or has none."""

    field: str
    wanted: bool


Condition = Is | In | Prefix | Like | Between | During | Words | Near | Exists


@dataclass(frozen=True)
class Where:
    """A parsed filter; three empty lists match everything."""

    all: list[Condition]
    any: list[Condition]
    none: list[Condition]


def parse_where(where: dict[str, Any] | None) -> Where | None:
    """The conditions of a filter dict, None for no filter at all; raises WrongUse for any other shape."""
    if not where and (where is None or isinstance(where, dict)):
        return None
    if not isinstance(where, dict) or set(where) - {"all", "any", "none"}:
        raise WrongUse(f'A filter is a dict with lists under "all", "any" or "none", not {where!r}.')
    for key, conditions in where.items():
        if not isinstance(conditions, list | tuple):
            raise WrongUse(f'The filter\'s "{key}" must be a list of conditions, not {conditions!r}.')
    return Where(*([_condition(raw) for raw in where.get(key, ())] for key in ("all", "any", "none")))


def _condition(raw: Any) -> Condition:
    if isinstance(raw, dict) and isinstance(raw.get("field"), str) and raw["field"]:
        field, rest = raw["field"], {key: value for key, value in raw.items() if key != "field"}
        if rest and set(rest) <= {"from", "to"}:
            condition: Condition | None = _range(field, rest.get("from"), rest.get("to"))
        elif len(rest) == 1 and (name := next(iter(rest))) in _PARSERS:
            condition = _PARSERS[name](field, rest[name])
        else:
            condition = None
        if condition:
            return condition
    raise WrongUse(
        f'Unknown condition {raw!r} in a filter: it takes a "field" and one of "is" (text or whole number), '
        '"in" (list of texts or of whole numbers), "prefix" (text), "like" (list of patterns), '
        '"from"/"to" (numbers or ISO times), "text" (words), "near" ([lat, lon, km]) or "exists" (true or false).'
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    # Qdrant keeps integers in 64 bits.
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _time(value: Any) -> str | None:
    # Python reads more ISO formats than the engine does, so the engine gets the one that both read.
    if value is None:
        return None
    time = datetime.fromisoformat(value)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _range(field: str, start: Any, end: Any) -> Condition | None:
    bounds = [value for value in (start, end) if value is not None]
    if all(map(_is_number, bounds)):
        return Between(field, start, end) if bounds else None
    try:
        return During(field, _time(start), _time(end))
    except (TypeError, ValueError):
        return None


def _in(field: str, values: Any) -> Condition | None:
    is_list = isinstance(values, list | tuple)
    is_uniform = is_list and (all(isinstance(value, str) for value in values) or all(map(_is_whole, values)))
    return In(field, list(values)) if is_uniform else None


def _near(field: str, circle: Any) -> Condition | None:
    if not isinstance(circle, list | tuple) or len(circle) != 3 or not all(map(_is_number, circle)):
        return None
    lat, lon, km = circle
    return Near(field, lat, lon, km) if abs(lat) <= 90 and abs(lon) <= 180 and km > 0 else None


def _like(field: str, patterns: Any) -> Condition | None:
    are_texts = isinstance(patterns, list | tuple) and all(isinstance(pattern, str) for pattern in patterns)
    return Like(field, list(patterns)) if are_texts and INDEXES.get(field) == "keyword" else None


_PARSERS: dict[str, Callable[[str, Any], Condition | None]] = {
    "is": lambda field, value: Is(field, value) if isinstance(value, str) or _is_whole(value) else None,
    "in": _in,
    "prefix": lambda field, start: Prefix(field, start) if isinstance(start, str) and start else None,
    "like": _like,
    "text": lambda field, text: Words(field, text) if isinstance(text, str) and text.strip() else None,
    "near": _near,
    "exists": lambda field, wanted: Exists(field, wanted) if isinstance(wanted, bool) else None,
}

# Cameras, lenses, formats and keywords have hundreds of values at most; with many more, patterns are refused.
MAX_VALUES = 20_000


def expand_patterns(where: Where | None, values: Callable[[str, int], Iterable[object]]) -> Where | None:
    """The same filter with every Like replaced by an In; `values(field, limit)` returns the values of a field.

    Raises WrongUse for a field with more than MAX_VALUES different values.
    """

    def expand(condition: Condition) -> Condition:
        if not isinstance(condition, Like):
            return condition
        known_values = list(values(condition.field, MAX_VALUES + 1))
        if len(known_values) > MAX_VALUES:
            raise WrongUse(f"{condition.field} has more than {MAX_VALUES:,} different values: too many for patterns.")
        pattern = re.compile("|".join(map(_expression, condition.patterns)))
        texts = [value for value in known_values if isinstance(value, str)]
        return In(condition.field, [text for text in texts if pattern.fullmatch(text.casefold())])

    if where is None:
        return None
    return replace(
        where,
        all=[expand(condition) for condition in where.all],
        any=[expand(condition) for condition in where.any],
        none=[expand(condition) for condition in where.none],
    )


def _expression(pattern: str) -> str:
    # Names of lenses contain square brackets, so a bracket here matches itself.
    return fnmatch.translate(pattern.casefold().replace("[", "[[]"))
