"""The interface to the vector store, implemented by the embedded Qdrant engine and by a Qdrant server.

A collection that was never ensured reads as empty: counts are 0, searches and look-ups find nothing.
"""

import uuid
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


@dataclass(frozen=True)
class CollectionInfo:
    """What a collection was created for; `clip_model` is None where a server does not say."""

    dim: int
    clip_model: str | None
    schema: int = 1


class ModelMismatch(WrongUse):
    """The collection was created for another CLIP model or another size of vectors."""


class CatalogFull(ServiceMissing):
    """The disk of the catalog is nearly full; nothing of the batch was written."""


class BadPoint(WrongUse):
    """A point cannot be stored as it is; nothing of its batch was written."""


class Catalog(Protocol):
    """One collection of pictures. Every method may be called from several threads.

    All methods raise ServiceMissing while the store does not answer, and WrongUse for a malformed filter (`where`);
    workers/storage/where.py describes filters.
    """

    def ensure(self, dim: int, clip_model: str) -> None:
        """Create the collection and its payload indexes unless they exist, and store dim and model.

        Raises ModelMismatch if the collection holds vectors of another model or another dimension.
        """

    def clip_model(self) -> str | None:
        """The CLIP model of the collection; None before it exists."""

    def check_model(self, clip_model: str) -> None:
        """Raise ModelMismatch if the collection holds vectors of another model."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Write whole points, replacing those with the same id; returns only when they are durable.

        Before anything is written it raises BadPoint (an id, a dimension, a number that is not finite, a payload that
        is not JSON) or CatalogFull.
        """

    def payloads(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """id -> these payload fields, for the ids that exist."""

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """sha256 -> a point with this content, model and preprocessing version, for each that exists."""

    def search(self, vector: NDArray[np.float32], limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """The nearest points to `vector`, float32 (dim,), best first."""

    def scroll(
        self, where: dict[str, Any] | None, limit: int, after: str | None = None, with_vectors: bool = False
    ) -> tuple[list[Point], str | None]:
        """A page of points in the order of their ids, and the `after` of the next page (None at the end).

        Without vectors each `vector` is empty, shape (0,).
        """

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """value -> exact number of points that have it, the most frequent first.

        Takes an indexed keyword or integer field, else raises WrongUse; the embedded engine also refuses a field with
        more than MAX_VALUES different values.
        """

    def delete(self, ids: Sequence[str]) -> None:
        """Delete these points durably; ids that do not exist are ignored."""

    def count(self, where: dict[str, Any] | None = None) -> int:
        """The exact number of points."""

    def drop(self) -> None:
        """Remove the whole collection durably, with its model; it then reads as empty and may be ensured again."""

    def maintain(self) -> None:
        """Write to disk what the last writes left in memory, in an idle moment; it never builds a search graph."""

    def close(self) -> None:
        """Write everything to disk and release the store; a second call does nothing."""


Kind = Literal["keyword", "integer", "datetime", "geo", "text"]

# The uri has no index, because a point is looked up by its id, which `point_id` makes from the uri.
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


def point_id(uri: str) -> str:
    """The id of a file's point: the same for every delivery and every run, so that a repetition overwrites."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, uri))
