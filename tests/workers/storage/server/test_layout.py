"""What a new collection on a server is asked to be, as it goes over the wire; no real Qdrant server was at hand."""

from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from settings import Settings, load_settings
from tests.workers.storage.pictures import DIM, MODEL
from tests.workers.storage.server.recording_server import recording_server
from workers.storage.catalog import CollectionInfo
from workers.storage.server.catalog import ServerCatalog
from workers.storage.server.connection import connect, server_version
from workers.storage.server.layout import Layout, layout_of


def settings(url: str, **qdrant: Any) -> Settings:
    own = load_settings()
    return own.model_copy(update={"qdrant": own.qdrant.model_copy(update={"url": url, "grpc_port": 0, **qdrant})})


def created(**qdrant: Any) -> dict[str, Any]:
    """The request by which a collection is made under these settings."""
    with recording_server() as server:
        own = settings(server.url, **qdrant)
        connection = connect(own)
        catalog = ServerCatalog(connection, "pictures", layout_of(own))
        catalog._create(DIM, MODEL)
        catalog.close()
        sent: dict[str, Any] = server.sent("PUT", "/collections/pictures")
        return sent


def test_by_default_the_server_decides_and_everything_is_in_memory_at_full_precision() -> None:
    sent = created()
    assert sent["vectors"] == {"size": DIM, "distance": "Cosine", "on_disk": False}
    assert sent["metadata"]["clip_model"] == MODEL
    assert sent["replication_factor"] == 1
    assert "shard_number" not in sent
    assert "quantization_config" not in sent


def test_a_large_collection_is_spread_copied_and_kept_on_disk() -> None:
    sent = created(shards=6, replication=2, on_disk=True)
    assert (sent["shard_number"], sent["replication_factor"]) == (6, 2)
    assert sent["vectors"]["on_disk"] is True
    assert sent["on_disk_payload"] is True
    assert sent["hnsw_config"]["on_disk"] is True


@pytest.mark.parametrize(
    ("quantization", "config"),
    [
        ("scalar", {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}),
        ("binary", {"binary": {"always_ram": True}}),
    ],
)
def test_quantized_vectors_stay_in_memory_and_searches_look_twice(quantization: str, config: dict[str, Any]) -> None:
    assert created(quantization=quantization, on_disk=True)["quantization_config"] == config
    search = Layout(quantization=quantization).search_params()  # type: ignore[arg-type]  # a name from a parameter of the test
    assert search is not None
    assert search.quantization == models.QuantizationSearchParams(rescore=True, oversampling=3.0)
    assert Layout().search_params() is None


def test_the_second_look_goes_over_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording_server() as server:
        catalog = ServerCatalog(connect(settings(server.url)), "pictures", Layout(quantization="scalar"))
        monkeypatch.setattr(catalog, "_collection_info", lambda: CollectionInfo(DIM, MODEL))
        catalog.search(np.ones(DIM, np.float32), 5)
        catalog.close()
        sent = server.sent("POST", "/collections/pictures/points/query")
    assert sent["params"] == {"quantization": {"rescore": True, "oversampling": 3.0}}


def test_the_release_of_a_server_is_told() -> None:
    with recording_server() as server:
        assert server_version(settings(server.url)) == "1.99.0"
