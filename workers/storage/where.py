"""Filters: the dicts in which messages carry them, and the conditions into which they are parsed.

    {"all": [condition, ...], "any": [condition, ...], "none": [condition, ...]}

All of "all", at least one of "any" (if it is not empty) and none of "none" must hold. A condition is one of

    {"field": "format", "is": "JPEG"}                      exactly this text or whole number
    {"field": "camera", "in": ["X100", "D850"]}            one of these texts or whole numbers
    {"field": "width", "from": 1000, "to": 2000}           from inclusive, to exclusive; one of the two is enough
    {"field": "taken_at", "from": "2024-01-01"}            the same with ISO dates or times; without a zone they are UTC
    {"field": "taken_local", "from": "2024-01-01"}         the same by the clock of the camera, whatever its zone
    {"field": "uri", "prefix": "file:///photos/2024/"}     a text that begins with exactly this, or with one of a list
    {"field": "camera", "like": ["Canon*", "X100?"]}       one of these patterns in any case, for keyword indexes
    {"field": "caption", "text": "red circle"}             all these words, in any order and in any case
    {"field": "gps", "near": [52.52, 13.4, 5]}             within 5 km of this latitude and longitude
    {"field": "lens", "exists": true}                      has a value that is not null (false: has none)

Whether accents are parts of their letters or characters behind them makes no difference.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from settings.errors import WrongUse
from tasks.checkpoint import reusable
from workers.storage.catalog import INDEXES, TEXTS, WORDS
from workers.text import asked_words, forms


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
    """The text has all these words, as the engine cuts it into words."""

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


@dataclass(frozen=True)
class Where:
    """A parsed filter, or a condition that is made of others; three empty lists match everything."""

    all: "list[Condition]"
    any: "list[Condition]"
    none: "list[Condition]"


Condition = Is | In | Prefix | Like | Between | During | Words | Near | Exists | Where


def reusable_with(clip_model: str, preprocessing: str) -> list[Condition]:
    """What holds of the points whose embeddings are reused for this model and this version of the preprocessing."""
    return [Is("clip_model", clip_model), In("preprocessing", reusable(preprocessing))]


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
        '"in" (list of texts or of whole numbers), "prefix" (text or list of texts), "like" (list of patterns), '
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
        during = During(field, _time(start), _time(end))
    except (TypeError, ValueError):
        return None
    if field != "taken_local":
        return during
    # It is stored only where it is not taken_at itself, and not at all by the first releases.
    return Where([], [during, Where([Exists(field, False), replace(during, field="taken_at")], [], [])], [])


def _in(field: str, values: Any) -> Condition | None:
    is_list = isinstance(values, list | tuple)
    is_uniform = is_list and (all(isinstance(value, str) for value in values) or all(map(_is_whole, values)))
    if not is_uniform:
        return None
    return In(field, [form for value in values for form in (forms(value) if isinstance(value, str) else [value])])


def _is(field: str, value: Any) -> Condition | None:
    if isinstance(value, str):
        ways = forms(value)
        return In(field, ways) if len(ways) > 1 else Is(field, value)
    return Is(field, value) if _is_whole(value) else None


def _prefix(field: str, starts: Any) -> Condition | None:
    starts = [starts] if isinstance(starts, str) else starts
    if not isinstance(starts, list | tuple) or not starts or not all(isinstance(each, str) and each for each in starts):
        return None
    return _any_of([Prefix(field, form) for start in starts for form in forms(start)])


def _text(field: str, text: Any) -> Condition | None:
    words = sorted(asked_words(text)) if isinstance(text, str) else []
    if not words:
        return None
    # As the engine finds them: for other fields, and for points that an earlier release has stored.
    by_engine = _any_of([Words(field, form) for form in forms(text)])
    if field not in TEXTS:
        return by_engine
    by_words = Where([Is(WORDS, f"{field}:{word}") for word in words], [], [])
    return Where([], [by_words, Where([Exists(WORDS, False), by_engine], [], [])], [])


def _any_of(conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else Where([], conditions, [])


def _near(field: str, circle: Any) -> Condition | None:
    if not isinstance(circle, list | tuple) or len(circle) != 3 or not all(map(_is_number, circle)):
        return None
    lat, lon, km = circle
    return Near(field, lat, lon, km) if abs(lat) <= 90 and abs(lon) <= 180 and km > 0 else None


def _like(field: str, patterns: Any) -> Condition | None:
    are_texts = isinstance(patterns, list | tuple) and all(isinstance(pattern, str) for pattern in patterns)
    return Like(field, list(patterns)) if are_texts and INDEXES.get(field) == "keyword" else None


_PARSERS: dict[str, Callable[[str, Any], Condition | None]] = {
    "is": _is,
    "in": _in,
    "prefix": _prefix,
    "like": _like,
    "text": _text,
    "near": _near,
    "exists": lambda field, wanted: Exists(field, wanted) if isinstance(wanted, bool) else None,
}
