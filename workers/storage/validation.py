"""Arguments that are refused before the store is called, so that both stores refuse the same ones."""

import json
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from settings.errors import WrongUse
from workers.storage.catalog import INDEXES, BadPoint, CollectionInfo, ModelMismatch, Point


def validate_points(points: Sequence[Point], dim: int) -> None:
    """Raise BadPoint unless ids are UUIDs, vectors finite numbers of shape (dim,), and payloads JSON of 64 bits."""
    # All at once, which is cheaper; only a batch that is refused is looked at point by point, for a name.
    with suppress(TypeError, ValueError):
        _require_json([point.payload for point in points])
        numbers = np.stack([point.vector for point in points]) if points else np.empty((0, dim))
        if numbers.shape[1:] == (dim,) and np.isfinite(numbers).all():
            validate_ids([point.id for point in points])
            return
    for point in points:
        name = str(point.payload.get("uri", point.id))
        validate_ids([point.id])
        validate_vector(point.vector, dim, name)
        try:
            _require_json(point.payload)
        except _TooWide as error:
            raise BadPoint(f"{name}: its payload has a whole number of more than 64 bits.") from error
        except (TypeError, ValueError) as error:
            raise BadPoint(f"{name}: its payload is not JSON ({error}).") from error


class _TooWide(ValueError):
    """A whole number of more than 64 bits."""


def _require_json(payload: object) -> None:
    # Text that UTF-8 cannot hold is refused as well: it would end in an error of the client, batch by batch.
    json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()
    if _is_too_wide(payload):
        raise _TooWide


def _is_too_wide(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_is_too_wide, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_too_wide, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def validate_vector(vector: NDArray[np.float32], dim: int, name: str) -> None:
    """Raise BadPoint unless `vector` has shape (dim,) and finite numbers; the error begins with `name`."""
    shape = np.shape(vector)
    if shape != (dim,):
        raise BadPoint(f"{name}: its vector has shape {shape}, the collection takes ({dim},).")
    if not np.isfinite(vector).all():
        raise BadPoint(f"{name}: its vector has numbers that are not finite.")


def validate_ids(ids: Sequence[str]) -> None:
    """Raise BadPoint unless all ids are UUIDs as text."""
    for text in ids:
        try:
            UUID(text)
        except (ValueError, AttributeError, TypeError) as error:
            raise BadPoint(f"{text!r} is no id of a point: it must be a UUID.") from error


def validate_facet_field(field: str) -> None:
    """Raise WrongUse unless `field` has an index whose values can be counted."""
    countable = [name for name, kind in INDEXES.items() if kind in ("keyword", "integer")]
    if field not in countable:
        raise WrongUse(f"The values of {field!r} cannot be counted: take one of {', '.join(countable)}.")


def validate_model(collection: str, info: CollectionInfo, dim: int | None, clip_model: str) -> None:
    """Raise ModelMismatch unless the collection was created for this model and, if given, this dimension."""
    if info.clip_model not in (clip_model, None):
        raise _mismatch(collection, info.clip_model, clip_model)
    if dim not in (info.dim, None):
        raise _mismatch(collection, f"{info.dim} numbers", f"{clip_model}, whose vectors have {dim}")


def _mismatch(collection: str, actual: str | None, requested: str) -> ModelMismatch:
    """The error for mixed vectors; `actual` and `requested` name a model or a dimension."""
    return ModelMismatch(
        f"The collection {collection!r} holds vectors of {actual or 'an unnamed model'} and cannot be used with "
        f"{requested}: set models.clip back, make the collection anew by `python -m producer ingest DIR --rebuild`, "
        "or set qdrant.collection to a new name."
    )
