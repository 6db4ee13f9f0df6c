"""What is refused before a store is asked, so that both homes of the catalog refuse the same."""

import json
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from settings.errors import WrongUse
from workers.storage.catalog import INDEXES, BadPoint, ModelMismatch, Point


def points(batch: Sequence[Point], dim: int) -> None:
    """Raise BadPoint unless ids are UUIDs, vectors have shape (dim,) and finite numbers, and payloads are JSON."""
    for point in batch:
        name = str(point.payload.get("uri", point.id))
        ids([point.id])
        vector(point.vector, dim, name)
        try:
            json.dumps(point.payload, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BadPoint(f"{name}: its payload is not JSON ({error}).") from error


def vector(numbers: NDArray[np.float32], dim: int, name: str) -> None:
    """Raise BadPoint, naming `name`, unless `numbers` has shape (dim,) and finite numbers."""
    shape = np.shape(numbers)
    if shape != (dim,):
        raise BadPoint(f"{name}: its vector has shape {shape}, the collection takes ({dim},).")
    if not np.isfinite(numbers).all():
        raise BadPoint(f"{name}: its vector has numbers that are not finite.")


def ids(given: Sequence[str]) -> None:
    """Raise BadPoint unless all are UUIDs as text."""
    for each in given:
        try:
            UUID(each)
        except (ValueError, AttributeError, TypeError) as error:
            raise BadPoint(f"{each!r} is no id of a point: it must be a UUID.") from error


def facet(field: str) -> None:
    """Raise WrongUse unless `field` has the kind of index that can be counted by value."""
    countable = [name for name, kind in INDEXES.items() if kind in ("keyword", "integer")]
    if field not in countable:
        raise WrongUse(f"The values of {field!r} cannot be counted: take one of {', '.join(countable)}.")


def _mismatch(collection: str, held: str | None, asked: str) -> ModelMismatch:
    """The refusal to mix vectors; `held` and `asked` name a model or a dimension."""
    return ModelMismatch(
        f"The collection {collection!r} holds vectors of {held or 'an unnamed model'} and cannot be used with {asked}: "
        "set models.clip back, make the collection anew by `python -m producer ingest DIR --rebuild`, or set "
        "qdrant.collection to a new name."
    )


def require_model(collection: str, held: tuple[int, str | None], dim: int | None, clip_model: str) -> None:
    """Raise ModelMismatch unless `held`, dimension and model of a collection, are these; None passes for any."""
    if held[1] not in (clip_model, None):
        raise _mismatch(collection, held[1], clip_model)
    if dim not in (held[0], None):
        raise _mismatch(collection, f"{held[0]} numbers", f"{clip_model}, whose vectors have {dim}")
