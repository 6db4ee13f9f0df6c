"""The interface to the vector store, implemented by the embedded Qdrant engine and by a Qdrant server.

A collection that was never ensured reads as empty: counts are 0, searches and look-ups find nothing.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from settings.errors import ServiceMissing, WrongUse
from workers.storage.ranking.bm25 import Terms
from workers.text import stored_words

T = TypeVar("T")


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

    def payloads(self, ids: Sequence[str], fields: Sequence[str] | None) -> dict[str, dict[str, Any]]:
        """id -> these payload fields (None: all), for the ids that exist."""
        return {id_: point.payload for id_, point in self.points(ids, fields, with_vectors=False).items()}

    def alone(self) -> AbstractContextManager[object]:
        """Inside this context nobody else writes to the embedded engine; a server may have other writers."""

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """sha256 -> a point with this content, model and preprocessing version, for each that exists.

        For a version of int8 that of float32 will do as well (tasks/checkpoint.py, `reusable`).
        """

    def search(
        self,
        vector: NDArray[np.float32],
        limit: int,
        where: dict[str, Any] | None = None,
        offset: int = 0,
        fields: Sequence[str] | None = None,
    ) -> list[Hit]:
        """The nearest points to `vector`, float32 (dim,), best first; the first `offset` ones are left out.

        `fields` names the payload fields that are wanted, None for all.
        """

    def search_words(self, terms: Terms, limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """The points whose texts have these words, by BM25, best first; without their payloads.

        The score is a sum over the words, above 0 and without a limit. Words of points that an earlier release has
        stored without them are added first.
        """

    def points(self, ids: Sequence[str], fields: Sequence[str] | None, with_vectors: bool) -> dict[str, Point]:
        """id -> the point with these payload fields (None: all), for the ids that exist; see `scroll` for vectors."""

    def scroll(
        self,
        where: dict[str, Any] | None,
        limit: int,
        after: str | None = None,
        with_vectors: bool = False,
        fields: Sequence[str] | None = None,
    ) -> tuple[list[Point], str | None]:
        """A page of points in the order of their ids, and the `after` of the next page (None at the end).

        `fields` names the payload fields that are wanted, None for all. Without vectors each `vector` is empty, shape
        (0,).
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

    def maintain(self) -> bool:
        """Write to disk what the last writes left in memory, in an idle moment; it never builds a search graph.

        It also adds the words to some points that an earlier release has stored without them; True while more lack
        theirs.
        """

    def close(self) -> None:
        """Write everything to disk and release the store; a second call does nothing."""


# "words" is an index like that of a keyword, whose values nobody counts or matches by patterns.
Kind = Literal["keyword", "integer", "datetime", "geo", "words"]

# By what a caption, a title, a description and text in a picture are found: `title:harbour`. Each engine cuts texts
# into words in its own way, and none finds a word of a script without spaces, so words are stored and asked for
# exactly. No answer has them.
WORDS = "words"
TEXTS = ("caption", "title", "description", "text")

# The uri has no index, because a point is looked up by its id, which `point_id` makes from the uri.
INDEXES: dict[str, Kind] = {
    "root": "keyword",
    "name": "keyword",
    "sha256": "keyword",
    "format": "keyword",
    "camera": "keyword",
    "lens": "keyword",
    "keywords": "keyword",
    "label": "keyword",
    "concepts": "keyword",
    "places": "keyword",
    "clip_model": "keyword",
    "preprocessing": "keyword",
    "bytes": "integer",
    "mtime": "integer",
    "width": "integer",
    "height": "integer",
    "rating": "integer",
    "taken_at": "datetime",
    "taken_local": "datetime",
    "gps": "geo",
    WORDS: "words",
}


def payload_selector(fields: Sequence[str] | None, everything: T) -> list[str] | bool | T:
    """The wanted fields of a payload as both homes are told them: all, these, or none."""
    return everything if fields is None else list(fields) or False


def with_words(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as both homes store it: with the words of its texts."""
    texts = {name: text for name in TEXTS if isinstance(text := payload.get(name), str)}
    found = sorted(f"{name}:{word}" for name, text in texts.items() for word in stored_words(text))
    return {**payload, WORDS: found} if found else payload
