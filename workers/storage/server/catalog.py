"""The catalog on a Qdrant server, through its client."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from workers.storage.catalog import BadPoint, Catalog, CollectionInfo, Hit, Point, payload_selector, with_words
from workers.storage.patterns import expand_patterns
from workers.storage.ranking.bm25 import Terms
from workers.storage.server.connection import Connection
from workers.storage.server.errors import LimitReached, Refused
from workers.storage.server.filter import server_filter
from workers.storage.server.layout import Layout, add_indexes
from workers.storage.server.records import EMBEDDING, WITHOUT_WORDS, content_requests, model_of_a_point, point_of
from workers.storage.server.words import ServerWords
from workers.storage.validation import (
    validate_facet_field,
    validate_ids,
    validate_model,
    validate_points,
    validate_vector,
)
from workers.storage.where import parse_where

T = TypeVar("T")
# The info is read again after this time: another storage worker may replace the collection by one for another model.
INFO_CACHE_SECONDS = 5.0


class ServerCatalog(Catalog):
    """The collection `name` on a server."""

    def __init__(self, connection: Connection, name: str, layout: Layout | None = None) -> None:
        self._connection = connection
        self._name = name
        self._layout = layout or Layout()
        # When it was read, and the info.
        self._cached_info: tuple[float, CollectionInfo] | None = None
        self._has_indexes = False
        self._words = ServerWords(name, self._call)

    def ensure(self, dim: int, clip_model: str) -> None:
        """See Catalog."""
        try:
            if self._collection_info() is None:
                self._create(dim, clip_model)
            info = self._collection_info()
            if info is None:
                raise ServiceMissing(f"The collection {self._name!r} vanished while it was being made.")
            validate_model(self._name, info, dim, clip_model)
            if not self._has_indexes:
                add_indexes(self._name, self._call)
                self._words.add_vector()
                self._has_indexes = True
        except Refused as error:
            # A layout that the server does not take is no fault of a point.
            raise ServiceMissing(str(error)) from error

    def clip_model(self) -> str | None:
        """See Catalog."""
        info = self._collection_info()
        return info.clip_model if info else None

    def check_model(self, clip_model: str) -> None:
        """See Catalog."""
        if info := self._collection_info():
            validate_model(self._name, info, None, clip_model)

    def upsert(self, points: Sequence[Point]) -> None:
        """See Catalog."""
        info = self._collection_info()
        if info is None:
            raise ServiceMissing(f"The collection {self._name!r} is gone: it must be ensured again.")
        validate_points(points, info.dim)
        if not points:
            return
        batch = models.Batch(
            ids=[point.id for point in points],
            vectors=self._words.vectors(points),
            payloads=[with_words(point.payload) for point in points],
        )
        try:
            self._call(lambda client: client.upsert(self._name, batch, wait=True))
        except Refused as error:
            if len(points) == 1 and isinstance(error, LimitReached):
                # Alone it is within every limit of a batch, so it is the collection that is full.
                raise ServiceMissing(str(error)) from error
            raise BadPoint(str(error)) from error

    def alone(self) -> AbstractContextManager[object]:
        """See Catalog."""
        return nullcontext()

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """See Catalog."""
        contents = list(dict.fromkeys(sha256s))
        if self._collection_info() is None or not contents:
            return {}
        requests = content_requests(contents, clip_model, preprocessing)
        answers = self._call(lambda client: client.query_batch_points(self._name, requests))
        return {sha256: point_of(answer.points[0]) for sha256, answer in zip(contents, answers) if answer.points}

    def search(
        self,
        vector: NDArray[np.float32],
        limit: int,
        where: dict[str, Any] | None = None,
        offset: int = 0,
        fields: Sequence[str] | None = None,
    ) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        info = self._collection_info()
        if info is None:
            return []
        validate_vector(vector, info.dim, "The query")
        answer = self._call(
            lambda client: client.query_points(
                self._name,
                vector.tolist(),
                query_filter=condition,
                limit=limit,
                with_payload=payload_selector(fields, WITHOUT_WORDS),
                offset=offset,
                search_params=self._layout.search_params(),
            )
        )
        return [Hit(str(point.id), point.score, point.payload or {}) for point in answer.points]

    def search_words(self, terms: Terms, limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        if self._collection_info() is None:
            return []
        return self._words.search(terms, limit, condition)

    def points(self, ids: Sequence[str], fields: Sequence[str] | None, with_vectors: bool) -> dict[str, Point]:
        """See Catalog."""
        validate_ids(ids)
        if self._collection_info() is None:
            return {}
        wanted, vectors = payload_selector(fields, WITHOUT_WORDS), EMBEDDING if with_vectors else False
        records = self._call(lambda client: client.retrieve(self._name, list(ids), wanted, vectors))
        return {str(record.id): point_of(record) for record in records}

    def scroll(
        self,
        where: dict[str, Any] | None,
        limit: int,
        after: str | None = None,
        with_vectors: bool = False,
        fields: Sequence[str] | None = None,
    ) -> tuple[list[Point], str | None]:
        """See Catalog."""
        validate_ids([after] if after else [])
        condition = self._filter(where)
        if self._collection_info() is None:
            return [], None
        wanted, vectors = payload_selector(fields, WITHOUT_WORDS), EMBEDDING if with_vectors else False
        records, next_id = self._call(
            lambda client: client.scroll(self._name, condition, limit, None, after, wanted, vectors)
        )
        return [point_of(record) for record in records], None if next_id is None else str(next_id)

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """See Catalog."""
        validate_facet_field(field)
        condition = self._filter(where)
        if self._collection_info() is None:
            return {}
        answer = self._call(lambda client: client.facet(self._name, field, condition, limit=limit, exact=True))
        return {hit.value: hit.count for hit in answer.hits if hit.count}

    def delete(self, ids: Sequence[str]) -> None:
        """See Catalog."""
        validate_ids(ids)
        if ids and self._collection_info():
            self._call(lambda client: client.delete(self._name, models.PointIdsList(points=list(ids)), wait=True))

    def count(self, where: dict[str, Any] | None = None) -> int:
        """See Catalog."""
        condition = self._filter(where)
        if self._collection_info() is None:
            return 0
        return self._call(lambda client: client.count(self._name, condition, exact=True)).count

    def drop(self) -> None:
        """See Catalog."""
        if self._collection_info():
            self._call(lambda client: client.delete_collection(self._name))
        self._forget()

    def maintain(self) -> bool:
        """See Catalog. A server does all but the words itself."""
        return self._collection_info() is not None and self._words.add_late()

    def close(self) -> None:
        """See Catalog."""
        self._connection.close()

    def _filter(self, where: dict[str, Any] | None) -> models.Filter | None:
        return server_filter(expand_patterns(parse_where(where), lambda field, limit: self.facet(field, limit=limit)))

    def _call(self, request: Callable[[QdrantClient], T]) -> T:
        try:
            return self._connection.call(request)
        except DarkroomError:
            # Somebody may have removed the collection, or made another one by this name.
            self._forget()
            raise

    def _forget(self) -> None:
        self._cached_info, self._has_indexes = None, False
        self._words.forget()

    def _collection_info(self) -> CollectionInfo | None:
        """The info of the collection, None before it exists; it is cached once its model is known."""
        cached = self._cached_info
        if cached and time.monotonic() - cached[0] < INFO_CACHE_SECONDS:
            return cached[1]
        if not self._call(lambda client: client.collection_exists(self._name)):
            return None
        config = self._call(lambda client: client.get_collection(self._name)).config
        vectors = config.params.vectors
        if not isinstance(vectors, models.VectorParams):
            raise WrongUse(
                f"The collection {self._name!r} is not one of Darkroom's: set qdrant.collection to another name."
            )
        info = CollectionInfo(
            vectors.size,
            (config.metadata or {}).get("clip_model")
            or self._call(lambda client: model_of_a_point(client, self._name)),
        )
        self._cached_info = (time.monotonic(), info) if info.clip_model else None
        return info

    def _create(self, dim: int, clip_model: str) -> None:
        try:
            options = self._layout.create_options(dim, clip_model)
            self._call(lambda client: client.create_collection(self._name, **options))
        except DarkroomError:
            # Another storage worker may have created it meanwhile.
            if self._collection_info() is None:
                raise
