"""The engine keeps the place of a deleted point for ever; a new shard without them takes over while work goes on."""

import json
import os
import random
import shutil
import threading
from pathlib import Path

import pytest

from settings.errors import DarkroomError
from tests.workers.storage.pictures import DIM, MODEL, identity, picture
from workers.storage.catalog import CatalogFull
from workers.storage.embedded import compaction
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.embedded.folder import CollectionFolder
from workers.storage.ranking.bm25 import asked_terms

pytestmark = pytest.mark.usefixtures("soon")
LEAST, STEP = 20, 8


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of deleted points is many, and a few are a step."""
    monkeypatch.setattr(compaction, "LEAST_DELETED", LEAST)
    monkeypatch.setattr(compaction, "POINTS_A_STEP", STEP)


def opened(folder: Path) -> EdgeCatalog:
    catalog = EdgeCatalog(folder, "pictures", reserve=0)
    catalog.ensure(DIM, MODEL)
    return catalog


def with_deleted(folder: Path, points: int, deleted: int) -> EdgeCatalog:
    """A catalog with so many points, the first of which are deleted."""
    catalog = opened(folder)
    catalog.upsert([picture(number) for number in range(points)])
    catalog.delete([identity(number) for number in range(deleted)])
    return catalog


def places(folder: Path) -> int:
    """How many places the shard in use has, as it was last flushed."""
    shard = folder / "pictures" / json.loads((folder / "pictures" / "about.json").read_text()).get("shard", "shard")
    return sum(file.stat().st_size // 8 for file in shard.glob("segments/*/*id_tracker.versions"))


def shards(folder: Path) -> int:
    return len(list((folder / "pictures").glob("shard*")))


def idle(catalog: EdgeCatalog) -> None:
    while catalog.maintain():
        pass


def require(catalog: EdgeCatalog, numbers: set[int]) -> None:
    """The catalog has these points and no others, whole and found by meaning, words and value."""
    stored = catalog.points([identity(number) for number in numbers], None, with_vectors=True)
    assert catalog.count() == len(stored) == len(numbers)
    for number in numbers:
        point = picture(number)
        assert stored[point.id].payload == point.payload
        assert (stored[point.id].vector == point.vector).all()
        assert catalog.search(point.vector, 1)[0].id == point.id
    triangles = catalog.search_words(asked_terms([("triangle", 1.0)]), 1000)
    assert {hit.id for hit in triangles} == {identity(number) for number in numbers if number % 2 == 0}
    assert sum(catalog.facet("name", limit=len(numbers)).values()) == len(numbers)


def test_an_idle_moment_gives_the_places_of_deleted_points_back(folder: Path) -> None:
    catalog = with_deleted(folder, 100, 70)
    idle(catalog)
    assert (places(folder), shards(folder)) == (30, 1)
    require(catalog, set(range(70, 100)))
    catalog.close()
    again = opened(folder)
    require(again, set(range(70, 100)))
    again.close()


@pytest.mark.parametrize(("points", "deleted"), [(100, 40), (LEAST, LEAST - 1)])
def test_few_deleted_points_are_not_worth_it(folder: Path, points: int, deleted: int) -> None:
    catalog = with_deleted(folder, points, deleted)
    idle(catalog)
    assert places(folder) == points
    catalog.close()


def test_very_many_points_are_not_twice_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST_POINTS", 29)
    catalog = with_deleted(folder, 100, 70)
    idle(catalog)
    assert places(folder) == 100
    catalog.close()


def test_a_worker_that_is_never_idle_does_it_step_by_step_as_it_writes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.storage.embedded.durable.POINTS_BETWEEN_FLUSHES", 50)
    catalog = opened(folder)
    for number in range(600):
        catalog.upsert([picture(number)])
        if number >= 10:
            catalog.delete([identity(number - 10)])
    require(catalog, set(range(590, 600)))
    idle(catalog)
    # 600 without it, and never more than what comes between two flushes and two steps.
    assert places(folder) < 120
    catalog.close()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_meanwhile_is_as_it_was_written_last(
    folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.storage.embedded.durable.POINTS_BETWEEN_FLUSHES", 30)
    rng, there = random.Random(seed), set[int]()
    catalog, taken_over = opened(folder), set[str]()
    for _ in range(300):
        chosen = {rng.randrange(120) for _ in range(rng.randrange(1, 12))}
        if rng.random() < 0.5:
            catalog.upsert([picture(number) for number in chosen])
            there |= chosen
        else:
            catalog.delete([identity(number) for number in chosen])
            there -= chosen
        taken_over.add((folder / "pictures" / "about.json").read_text())
    require(catalog, there)
    assert len(taken_over) > 3
    catalog.close()
    again = opened(folder)
    require(again, there)
    again.close()


def test_threads_that_write_at_the_same_time_wait_for_no_log_that_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.storage.embedded.durable.POINTS_BETWEEN_FLUSHES", 40)
    catalog, failed = opened(folder), list[BaseException]()

    def write(first: int) -> None:
        try:
            for number in range(first, first + 100):
                catalog.upsert([picture(number)])
                if number % 100 < 95:
                    catalog.delete([identity(number)])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    require(catalog, {number for number in range(400) if number % 100 >= 95})
    catalog.close()


def test_the_words_of_an_old_collection_are_added_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as old:
        old.setattr("workers.storage.embedded.catalog.edge_vectors", lambda point: {"": point.vector.tolist()})
        catalog = with_deleted(folder, 100, 70)
        catalog.close()
    catalog = opened(folder)
    shard = catalog._shard
    assert shard is not None
    assert shard._compaction is not None  # begun at the start, after which words are added
    require(catalog, set(range(70, 100)))
    idle(catalog)
    assert places(folder) == 30
    require(catalog, set(range(70, 100)))
    catalog.close()


@pytest.mark.parametrize("steps", [0, 1])
def test_a_disk_that_gets_full_meanwhile_ends_it_alone(
    folder: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = with_deleted(folder, 100, 70)
    assert all(catalog.maintain() for _ in range(steps))
    assert shards(folder) == 1 + steps

    def full(*_: object) -> None:
        raise CatalogFull("The disk is full.")

    with monkeypatch.context() as now:
        now.setattr(CollectionFolder, "require_space", full)
        assert not catalog.maintain()
    assert shards(folder) == 1
    catalog.upsert([picture(100)])
    require(catalog, set(range(70, 101)))
    idle(catalog)
    assert places(folder) == 101
    catalog.close()
    again = opened(folder)
    idle(again)
    assert places(folder) == 31
    again.close()


def test_a_disk_that_fails_when_the_new_shard_is_the_one_in_use_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = with_deleted(folder, 100, 70)

    def fail(_: Path) -> None:
        raise OSError("Input/output error")

    with monkeypatch.context() as now:
        now.setattr("workers.storage.embedded.durable.sync_folder", fail)
        with pytest.raises(DarkroomError, match="Input/output error"):
            idle(catalog)
    catalog.upsert([picture(100)])
    require(catalog, set(range(70, 101)))
    catalog.close()
    again = opened(folder)
    require(again, set(range(70, 101)))
    assert shards(folder) == 1
    again.close()


def test_an_end_in_good_order_leaves_nothing_of_it(folder: Path) -> None:
    catalog = with_deleted(folder, 100, 70)
    assert catalog.maintain()
    catalog.close()
    assert shards(folder) == 1


def test_what_ended_a_process_in_the_middle_of_it_does_not_end_the_next_one_as_well(
    folder: Path, tmp_path: Path
) -> None:
    catalog = with_deleted(folder, 100, 70)
    assert catalog.maintain()
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)
    catalog.close()
    for expected in (100, 30):
        after = opened(killed)
        idle(after)
        assert (places(killed), shards(killed)) == (expected, 1)
        require(after, set(range(70, 100)))
        after.close()


def test_the_new_shard_is_on_disk_whole_before_it_is_the_one_in_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, synced, missing = with_deleted(folder, 100, 70), set[str](), list[set[str]]()
    sync, use = os.fsync, CollectionFolder.use

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))

    def look(self: CollectionFolder, shard: Path) -> None:
        missing.append({str(path) for path in shard.rglob("*")} - synced)
        use(self, shard)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(CollectionFolder, "use", look)
    idle(catalog)
    assert missing == [set()]
    assert {str(folder / "pictures"), str(folder / "pictures" / "about.json.new")} <= synced
    catalog.close()


def test_a_worker_that_is_killed_again_and_again_replays_its_last_writes_alone(folder: Path, tmp_path: Path) -> None:
    catalog = with_deleted(folder, 10, 0)
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)
    assert places(killed) == 0
    catalog.close()
    after = opened(killed)
    assert places(killed) == 10
    after.close()
