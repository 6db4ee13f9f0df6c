"""The filters of qdrant-client's models as those of the embedded engine; what is not known here is refused."""

from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge
from qdrant_client import models


def to_edge(condition: models.Filter) -> edge.Filter:
    """The same filter for the engine."""
    return edge.Filter(
        must=_conditions(condition.must), should=_conditions(condition.should), must_not=_conditions(condition.must_not)
    )


def fields_of(condition: models.Filter) -> set[str]:
    """The fields of the payload that a filter asks about."""
    found: set[str] = set()
    for part in (condition.must, condition.should, condition.must_not):
        for each in _list(part):
            if isinstance(each, models.Filter):
                found |= fields_of(each)
            elif isinstance(each, models.HasVectorCondition):
                continue
            elif isinstance(each, models.IsEmptyCondition):
                found.add(each.is_empty.key)
            else:
                found.add(each.key)
    return found


def _list(part: Any) -> Sequence[Any]:
    return part if isinstance(part, list) else [] if part is None else [part]


def _conditions(part: Any) -> list[Any] | None:
    return [_condition(each) for each in _list(part)] or None


def _condition(condition: Any) -> Any:
    if isinstance(condition, models.Filter):
        return to_edge(condition)
    if isinstance(condition, models.HasVectorCondition):
        return edge.HasVectorCondition(condition.has_vector)
    if isinstance(condition, models.IsEmptyCondition):
        return edge.IsEmptyCondition(condition.is_empty.key)
    if not isinstance(condition, models.FieldCondition):
        raise NotImplementedError(repr(condition))
    if condition.match is not None:
        return edge.FieldCondition(condition.key, match=_match(condition.match))
    if condition.geo_radius is not None:
        centre = condition.geo_radius.center
        point = edge.GeoPoint(lon=centre.lon, lat=centre.lat)
        return edge.FieldCondition(condition.key, geo_radius=edge.GeoRadius(point, condition.geo_radius.radius))
    if isinstance(condition.range, models.DatetimeRange):
        bounds = {name: _text(getattr(condition.range, name)) for name in ("gt", "gte", "lt", "lte")}
        return edge.FieldCondition(condition.key, range=edge.RangeDateTime(**bounds))
    if condition.range is not None:
        numbers = {name: getattr(condition.range, name) for name in ("gt", "gte", "lt", "lte")}
        return edge.FieldCondition(condition.key, range=edge.RangeFloat(**numbers))
    raise NotImplementedError(repr(condition))


def _text(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat() if hasattr(moment, "isoformat") else str(moment)


def _match(match: Any) -> Any:
    if isinstance(match, models.MatchValue):
        return edge.MatchValue(match.value)
    if isinstance(match, models.MatchAny):
        return edge.MatchAny(match.any)
    if isinstance(match, models.MatchPrefix):
        return edge.MatchPrefix(match.prefix)
    if isinstance(match, models.MatchText):
        return edge.MatchText(match.text)
    raise NotImplementedError(repr(match))
