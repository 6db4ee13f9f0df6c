"""The payload indexes of a collection on a Qdrant server."""

from collections.abc import Callable
from functools import partial
from typing import Any

from qdrant_client import QdrantClient, models

from workers.storage.payload_index import INDEXES

_SCHEMA: dict[str, models.PayloadSchemaType | Any] = {
    "keyword": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "integer": models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, enable_hnsw=False),
    "datetime": models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME, enable_hnsw=False),
    "geo": models.GeoIndexParams(type=models.GeoIndexType.GEO, enable_hnsw=False),
    "text": models.TextIndexParams(type=models.TextIndexType.TEXT, enable_hnsw=False),
}


def add_indexes(client: QdrantClient, collection: str, ask: Callable[[Callable[[], Any]], Any]) -> None:
    """Create the indexes that the collection lacks; `ask` makes each call and says what its errors mean."""
    there = ask(lambda: client.get_collection(collection)).payload_schema
    for field in INDEXES.keys() - there.keys():
        ask(partial(client.create_payload_index, collection, field, _SCHEMA[INDEXES[field]]))
