"""The model of a job: orders of events that Hypothesis draws, on the real parts. `make proof` draws many more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tasks.queues import POINTS, UNACKED
from tests.proof.hands import Died
from tests.proof.machine import check_model
from tests.proof.world import World
from tests.workers.storage.conftest import folder
from workers.storage.catalog import Catalog
from workers.storage.embedded.catalog import EdgeCatalog

__all__ = ["folder"]


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    """An embedded catalog in memory: a disk's syncs would take most of the time, and no power is cut here."""
    opened = EdgeCatalog(folder, "pictures")
    yield opened
    opened.close()


def test_whatever_happens_in_whatever_order_every_file_is_stored_once_and_counted_right(
    client: redis.Redis, catalog: Catalog
) -> None:
    check_model(client, catalog, examples=10, seed=19)


@pytest.mark.parametrize("moment", ["before the write", "before the ledger", "before the ack"])
def test_a_storage_worker_that_dies_leaves_its_message_in_redis(
    client: redis.Redis, catalog: Catalog, moment: str
) -> None:
    world = World(client, catalog, 10**6)
    world.publish()
    assert world.gpu
    assert world.storage
    world.gpu.take(client)
    world.compute(world.gpu)
    world.storage.take(client)
    with pytest.raises(Died):
        world.store(world.storage, dies=moment)
    assert world.missing() == set()
    assert client.llen(POINTS) + client.hlen(UNACKED) - len(world.gpu.held) == 1
    for hands in (world.gpu, world.storage):
        hands.die()
