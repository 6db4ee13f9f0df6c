"""Translates parsed filters into those of the embedded engine."""

from qdrant_edge import (
    FieldCondition,
    Filter,
    GeoPoint,
    GeoRadius,
    IsEmptyCondition,
    MatchAny,
    MatchPrefix,
    MatchText,
    MatchValue,
    RangeDateTime,
    RangeFloat,
)

from workers.storage.where import Between, Condition, During, Exists, In, Is, Like, Near, Prefix, Where, Words


def edge_filter(where: Where | None) -> Filter | None:
    """The engine's filter for `where`; None for no filter."""
    return None if where is None else _filter(where)


def _filter(where: Where) -> Filter:
    # An empty `should` would match nothing.
    return Filter(
        must=[_condition(condition) for condition in where.all],
        should=[_condition(condition) for condition in where.any] or None,
        must_not=[_condition(condition) for condition in where.none],
    )


def _condition(condition: Condition) -> FieldCondition | IsEmptyCondition | Filter:
    match condition:
        case Is(field, value):
            return FieldCondition(field, match=MatchValue(value))
        case In(field, values):
            return FieldCondition(field, match=MatchAny(values))
        case Prefix(field, start):
            return FieldCondition(field, match=MatchPrefix(start))
        case Like(field):
            raise AssertionError(f"the patterns for {field} were not expanded")
        case Between(field, start, end):
            return FieldCondition(field, range=RangeFloat(gte=start, lt=end))
        case During(field, since, until):
            return FieldCondition(field, range=RangeDateTime(gte=since, lt=until))
        case Words(field, text):
            return FieldCondition(field, match=MatchText(text))
        case Near(field, lat, lon, km):
            return FieldCondition(field, geo_radius=GeoRadius(GeoPoint(lon=lon, lat=lat), km * 1000))
        case Exists(field, wanted):
            empty = IsEmptyCondition(field)
            return Filter(must_not=[empty]) if wanted else empty
        case Where():
            return _filter(condition)
