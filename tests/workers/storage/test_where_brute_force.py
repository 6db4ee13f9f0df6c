"""What `--where` says in words and what either home of the catalog finds equals a plain filter over all payloads."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.collection.where import parse_conditions
from tests.workers.storage.conftest import COLLECTION, connected
from tests.workers.storage.pictures import identity
from tests.workers.storage.random_conditions import CONDITIONS, Condition, Payload
from tests.workers.storage.random_payloads import payloads
from workers.storage.catalog import Catalog, Point
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.server.catalog import ServerCatalog

DIM = 2


@pytest.fixture(scope="module", params=["edge", "server"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One catalog for all examples: making one costs more than filling it."""
    catalog: Catalog
    if request.param == "edge":
        memory = Path("/dev/shm")
        folder = tmp_path_factory.mktemp("catalog")
        catalog = EdgeCatalog(memory / folder.name if memory.is_dir() else folder, "pictures")
    else:
        catalog = ServerCatalog(connected(request.getfixturevalue("server"), over_grpc=False), COLLECTION)
        catalog.drop()
    catalog.ensure(DIM, "clip")
    yield catalog
    catalog.drop()
    catalog.close()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stored=st.lists(payloads(), max_size=12), conditions=st.lists(CONDITIONS, min_size=1, max_size=3))
def test_where_finds_what_a_plain_filter_over_all_payloads_finds(
    kept: Catalog, stored: list[Payload], conditions: list[Condition]
) -> None:
    kept.delete([point.id for point in kept.scroll(None, 100)[0]])
    vector = np.array([1, 0], dtype=np.float32)
    stored = [{**payload, "uri": "file://" + quote(f"{payload['folder']}/{payload['name']}")} for payload in stored]
    kept.upsert([Point(identity(number), vector, payload) for number, payload in enumerate(stored)])
    expected = {
        identity(number) for number, payload in enumerate(stored) if all(means(payload) for _, means in conditions)
    }
    where = parse_conditions([text for text, _ in conditions])
    assert {point.id for point in kept.scroll(where, 100)[0]} == expected
    assert {hit.id for hit in kept.search(vector, 100, where)} == expected
    assert kept.count(where) == len(expected)
