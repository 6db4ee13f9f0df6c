"""Translates parsed filters into those of the Qdrant client."""

from qdrant_client import models

from workers.storage.where import Between, Condition, During, Exists, In, Is, Like, Near, Prefix, Where, Words


def server_filter(where: Where | None) -> models.Filter | None:
    """The client's filter for `where`; None for no filter."""
    return None if where is None else _filter(where)


def _filter(where: Where) -> models.Filter:
    # An empty `should` would match nothing.
    return models.Filter(
        must=[_condition(condition) for condition in where.all],
        should=[_condition(condition) for condition in where.any] or None,
        must_not=[_condition(condition) for condition in where.none],
    )


def _condition(condition: Condition) -> models.FieldCondition | models.IsEmptyCondition | models.Filter:
    match condition:
        case Is(field, value):
            return models.FieldCondition(key=field, match=models.MatchValue(value=value))
        case In(field, values):
            return models.FieldCondition(key=field, match=models.MatchAny(any=values))
        case Prefix(field, start):
            return models.FieldCondition(key=field, match=models.MatchPrefix(prefix=start))
        case Like(field):
            raise AssertionError(f"the patterns for {field} were not expanded")
        case Between(field, start, end):
            return models.FieldCondition(key=field, range=models.Range(gte=start, lt=end))
        case During(field, since, until):
            return models.FieldCondition(
                key=field, range=models.DatetimeRange.model_validate({"gte": since, "lt": until})
            )
        case Words(field, text):
            return models.FieldCondition(key=field, match=models.MatchText(text=text))
        case Near(field, lat, lon, km):
            centre = models.GeoPoint(lon=lon, lat=lat)
            return models.FieldCondition(key=field, geo_radius=models.GeoRadius(center=centre, radius=km * 1000))
        case Exists(field, wanted):
            empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=field))
            return models.Filter(must_not=[empty]) if wanted else empty
        case Where():
            return _filter(condition)
