"""The layout of a collection on a Qdrant server: shards, memory or disk, quantization, and its payload indexes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from qdrant_client import QdrantClient, models

from settings import Settings
from workers.storage.catalog import INDEXES
from workers.storage.ranking.bm25 import SPARSE

_SCHEMA: dict[str, models.PayloadSchemaType | Any] = {
    "keyword": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
    "integer": models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, enable_hnsw=False),
    "datetime": models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME, enable_hnsw=False),
    "geo": models.GeoIndexParams(type=models.GeoIndexType.GEO, enable_hnsw=False),
    "words": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False),
}


def add_indexes(collection: str, call: Callable[[Callable[[QdrantClient], Any]], Any]) -> None:
    """Create the indexes that the collection lacks; `call` makes each request and translates its errors."""
    existing = call(lambda client: client.get_collection(collection)).payload_schema
    for field in INDEXES.keys() - existing.keys():
        call(partial(_create_index, collection=collection, field=field))


def _create_index(client: QdrantClient, collection: str, field: str) -> None:
    client.create_payload_index(collection, field, _SCHEMA[INDEXES[field]])


# So many times more candidates are searched by quantized vectors; the full vectors then select among them.
OVERSAMPLING = 3.0


@dataclass(frozen=True)
class Layout:
    """The options of a new collection; if `shards` is None, the server decides their number."""

    shards: int | None = None
    replication: int = 1
    on_disk: bool = False
    quantization: Literal["none", "scalar", "binary"] = "none"

    def create_options(self, dim: int, clip_model: str) -> dict[str, Any]:
        """The arguments with which the client creates a collection for vectors of `dim` numbers of a model."""
        return {
            "metadata": {"clip_model": clip_model, "schema": 1},
            "vectors_config": models.VectorParams(size=dim, distance=models.Distance.COSINE, on_disk=self.on_disk),
            "sparse_vectors_config": {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            "shard_number": self.shards,
            "replication_factor": self.replication,
            "on_disk_payload": self.on_disk,
            "hnsw_config": models.HnswConfigDiff(on_disk=self.on_disk),
            "quantization_config": self._quantization(),
        }

    def search_params(self) -> models.SearchParams | None:
        """The parameters of a search: over quantized vectors, then rescored by the full ones."""
        if self.quantization == "none":
            return None
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        return models.SearchParams(quantization=quantization)

    def _quantization(self) -> models.ScalarQuantization | models.BinaryQuantization | None:
        # The quantized vectors stay in memory even if the full ones lie on disk: that makes the search fast.
        if self.quantization == "scalar":
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            return models.ScalarQuantization(scalar=scalar)
        if self.quantization == "binary":
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        return None


def layout_of(settings: Settings) -> Layout:
    """The layout that [qdrant] asks for."""
    qdrant = settings.qdrant
    shards = None if qdrant.shards == "auto" else qdrant.shards
    return Layout(shards, qdrant.replication, qdrant.on_disk, qdrant.quantization)
