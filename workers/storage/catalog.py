"""The few things Darkroom asks of a vector store, whichever home it has: an embedded Qdrant or a Qdrant server.

A collection that was never ensured reads as empty: counts are 0, searches and look-ups find nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from settings.errors import ServiceMissing, WrongUse


@dataclass(frozen=True, eq=False)
class Point:
    """One picture: `id` a UUID as text, `vector` float32 (dim,) and L2-normalised, `payload` JSON values."""

    id: str
    vector: NDArray[np.float32]
    payload: dict[str, Any]


@dataclass(frozen=True)
class Hit:
    """One answer of a search; `score` is the cosine similarity, -1 to 1."""

    id: str
    score: float
    payload: dict[str, Any]


class ModelMismatch(WrongUse):
    """The collection was made with another CLIP model or another size of vectors."""


class CatalogFull(ServiceMissing):
    """The disk of the catalog is nearly full; nothing of the batch was written."""


class BadPoint(WrongUse):
    """A point cannot be stored as it is; nothing of its batch was written."""


class Catalog(Protocol):
    """One collection of pictures. Every method may be called from several threads.

    All methods raise ServiceMissing where the store is away, and WrongUse for a filter (`where`) of unknown shape;
    workers/storage/where.py says what a filter looks like.
    """

    def ensure(self, dim: int, clip_model: str) -> None:
        """Create the collection and its payload indexes unless they are there, and remember dim and model.

        Raises ModelMismatch where the collection holds vectors of another model or another dimension.
        """

    def clip_model(self) -> str | None:
        """The CLIP model of the collection; None while there is none."""

    def check_model(self, clip_model: str) -> None:
        """Raise ModelMismatch where the collection holds vectors of another model."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Write whole points, replacing those with the same id; returns only when they are durable.

        Before anything is written it raises BadPoint (an id, a dimension, a number that is not finite, a payload that
        is not JSON) or CatalogFull.
        """

    def payloads(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """id -> those payload fields, for the ids that exist."""

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """sha256 -> one point with these bytes, model and preprocessing version, for those that have one."""

    def search(self, vector: NDArray[np.float32], limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """The nearest points to `vector`, float32 (dim,), best first."""

    def scroll(
        self, where: dict[str, Any] | None, limit: int, after: str | None = None, with_vectors: bool = False
    ) -> tuple[list[Point], str | None]:
        """A page of points in the order of their ids, and what to pass as `after` for the next page (None: the end).

        Without vectors each `vector` is empty, shape (0,).
        """

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """value -> exact number of points that have it, the most frequent first.

        Takes an indexed keyword or integer field, else raises WrongUse.
        """

    def delete(self, ids: Sequence[str]) -> None:
        """Delete these points durably; ids that do not exist are passed over."""

    def count(self, where: dict[str, Any] | None = None) -> int:
        """The exact number of points."""

    def drop(self) -> None:
        """Remove the whole collection durably, its model with it; it then reads as empty and may be ensured anew."""

    def maintain(self) -> bool:
        """One step of upkeep, for idle moments; True if more is left to do."""

    def close(self) -> None:
        """Bring everything to disk and let go of the store; a second call does nothing."""


Kind = Literal["keyword", "integer", "datetime", "geo", "text"]

# The uri has no index: the point's id is made from it, so looking up by id is looking up by uri.
INDEXES: dict[str, Kind] = {
    "root": "keyword",
    "name": "keyword",
    "sha256": "keyword",
    "format": "keyword",
    "camera": "keyword",
    "lens": "keyword",
    "keywords": "keyword",
    "clip_model": "keyword",
    "preprocessing": "keyword",
    "bytes": "integer",
    "mtime": "integer",
    "width": "integer",
    "height": "integer",
    "taken_at": "datetime",
    "gps": "geo",
    "caption": "text",
}
