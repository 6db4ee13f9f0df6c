"""How a collection is laid out on a Qdrant server: nodes, memory or disk, precision, and its payload indexes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from qdrant_client import QdrantClient, models

from settings import Settings
from workers.storage.catalog import INDEXES

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


# The quantized vectors find more candidates than are wanted; their full vectors then decide.
OVERSAMPLING = 3.0


@dataclass(frozen=True)
class Layout:
    """The settings of a new collection; None for `shards` leaves their number to the server."""

    shards: int | None = None
    replication: int = 1
    on_disk: bool = False
    quantization: Literal["none", "scalar", "binary"] = "none"

    def of_new(self, dim: int, clip_model: str) -> dict[str, Any]:
        """What to create a collection for vectors of `dim` numbers of a model with, as the client takes it."""
        return {
            "metadata": {"clip_model": clip_model, "schema": 1},
            "vectors_config": models.VectorParams(size=dim, distance=models.Distance.COSINE, on_disk=self.on_disk),
            "shard_number": self.shards,
            "replication_factor": self.replication,
            "on_disk_payload": self.on_disk,
            "hnsw_config": models.HnswConfigDiff(on_disk=self.on_disk),
            "quantization_config": self._quantization(),
        }

    def of_search(self) -> models.SearchParams | None:
        """How to search: over quantized vectors with a second look at the full ones."""
        if self.quantization == "none":
            return None
        look = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        return models.SearchParams(quantization=look)

    def _quantization(self) -> models.ScalarQuantization | models.BinaryQuantization | None:
        # The small vectors stay in memory, whichever place the full ones have: that is what they are for.
        if self.quantization == "scalar":
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            return models.ScalarQuantization(scalar=scalar)
        if self.quantization == "binary":
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        return None


def layout_of(settings: Settings) -> Layout:
    """The layout that [qdrant] asks for."""
    own = settings.qdrant
    return Layout(None if own.shards == "auto" else own.shards, own.replication, own.on_disk, own.quantization)
