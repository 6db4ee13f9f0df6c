"""One search for duplicates, whichever storage worker is asked; real Redis, each worker a part of this process."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import workers.storage.state
from settings.errors import DarkroomError, WrongUse
from tasks.rpc.answers import reply
from tests.until import until
from tests.workers.storage.conftest import COLLECTION, connected
from tests.workers.storage.pictures import DIM, MODEL, identity, picture
from workers.storage.duplicates import search as worker
from workers.storage.duplicates import shared_search
from workers.storage.duplicates.shared_search import KEY, Run, SharedSearch
from workers.storage.server.catalog import ServerCatalog

GROUPS = [[(identity(3 * number + place), 1.0) for place in range(3)] for number in range(5)]


@pytest.fixture
def stopping() -> threading.Event:
    """Set when the worker is told to stop."""
    return threading.Event()


@pytest.fixture
def shared(client: redis.Redis) -> SharedSearch:
    """A search that is asked after."""
    own = SharedSearch(client, "token")
    own.look()
    return own


def taken(shared: SharedSearch, stopping: threading.Event) -> Run:
    run = shared.take(stopping)
    assert run is not None
    return run


def test_one_worker_takes_a_search_and_the_others_tell_its_progress(
    shared: SharedSearch, client: redis.Redis, stopping: threading.Event
) -> None:
    run = taken(shared, stopping)
    other = SharedSearch(client, "token")
    assert other.take(stopping) is None
    run.renew(0.4)
    assert (other.look().done, other.look().found) == (0.4, None)


def test_every_worker_gives_the_pages_of_the_same_result(
    shared: SharedSearch, client: redis.Redis, stopping: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_search, "PAGE_ROWS", 5)
    taken(shared, stopping).finish(iter(GROUPS), 100)
    other = SharedSearch(client, "token")
    found = other.look().found
    assert found is not None
    assert (found.points, found.total, found.pages) == (100, 5, 3)
    assert [group for number in range(3) for group in (shared, other)[number % 2].page(found, number)] == GROUPS
    assert other.take(stopping) is None


def test_when_the_owner_has_died_the_search_begins_anew_once_and_then_fails(
    shared: SharedSearch, client: redis.Redis, stopping: threading.Event
) -> None:
    for _ in range(2):
        taken(shared, stopping).renew(0.7)
        client.delete(f"{KEY}token:owner")  # as when its lease has run out
    assert shared.look().done == 0.7
    assert shared.take(stopping) is None
    assert "has ended 2 times with its storage worker" in str(shared.look().failure)


def test_an_owner_that_was_believed_dead_stops_and_the_first_result_stays(
    shared: SharedSearch, client: redis.Redis, stopping: threading.Event
) -> None:
    slow = taken(shared, stopping)
    client.delete(f"{KEY}token:owner")
    quick = taken(shared, stopping)
    slow.renew(0.9)
    assert (slow.is_over(), quick.is_over()) == (True, False)
    slow.fail(DarkroomError("late"))
    quick.finish(GROUPS[:2], 6)
    slow.finish(GROUPS, 15)
    slow.release()
    found = shared.look().found
    assert found is not None
    assert shared.page(found, 0) == GROUPS[:2]


def test_a_worker_that_stops_hands_the_search_on_and_that_counts_as_no_death(
    shared: SharedSearch, stopping: threading.Event
) -> None:
    for _ in range(4):
        stopping.set()
        run = taken(shared, stopping)
        assert run.is_over()
        run.release()
    assert shared.look().failure is None


def test_a_search_that_nobody_asks_after_is_over_and_forgotten(
    shared: SharedSearch, client: redis.Redis, stopping: threading.Event
) -> None:
    run = taken(shared, stopping)
    client.delete(f"{KEY}token:asked")
    run.renew(0.5)
    assert run.is_over()
    run.release()
    assert not client.exists(f"{KEY}token:owner")
    run.finish(GROUPS, 15)
    assert {key for key in client.scan_iter(f"{KEY}*") if client.ttl(key) < 0} == set()


def test_a_result_that_was_forgotten_is_told(
    shared: SharedSearch, client: redis.Redis, stopping: threading.Event
) -> None:
    taken(shared, stopping).finish(GROUPS, 15)
    found = shared.look().found
    assert found is not None
    client.delete(found.key)
    with pytest.raises(DarkroomError, match="search again"):
        shared.page(found, 0)


@pytest.fixture
def storage(server: tuple[str, int], client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerCatalog]:
    """The task of the storage worker, over a collection of twelve pictures, three of them twice."""
    catalog = ServerCatalog(connected(server, over_grpc=True), COLLECTION)
    catalog.drop()
    catalog.ensure(DIM, MODEL)
    catalog.upsert([picture(number, sha256=f"{number % 9:064x}") for number in range(12)])
    monkeypatch.setattr(workers.storage.state, "_catalog", catalog)
    monkeypatch.setattr(workers.storage.state, "_client", client)
    monkeypatch.setattr(worker, "stopping", threading.Event())
    yield catalog
    catalog.close()


def answer(page: int = 0, where: dict[str, Any] | None = None) -> dict[str, Any]:
    """The last answer to a question that is asked until there are groups."""

    def asked() -> dict[str, Any] | None:
        told = reply(lambda: worker._answer("own", None, where, page))
        return told if "error" in told or "groups" in told["value"] else None

    return until(asked, "the search to end")


def test_the_task_answers_in_pages_with_the_facts_of_each_picture(
    storage: ServerCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_search, "PAGE_ROWS", 4)
    first = answer()["value"]
    assert (first["points"], first["total"], first["next"]) == (12, 3, 1)
    second = answer(page=1)["value"]
    assert (len(first["groups"]), len(second["groups"]), second["next"]) == (2, 1, None)
    names = sorted(sorted(row["uri"] for row in group) for group in first["groups"] + second["groups"])
    assert names == [[f"file:///pictures/{number}.jpg" for number in pair] for pair in ((0, 9), (1, 10), (11, 2))]
    assert {row["score"] for group in first["groups"] for row in group} == {1.0}


def test_pictures_that_are_removed_meanwhile_are_no_duplicates_any_more(storage: ServerCatalog) -> None:
    answer()
    storage.delete([identity(0), identity(10)])
    assert [len(group) for group in answer()["value"]["groups"]] == [2]


def test_a_mistake_is_told_as_a_sentence(storage: ServerCatalog) -> None:
    told = answer(where={"all": [{"field": "format", "resembles": "P"}]})
    assert told["kind"] == WrongUse.__name__
    assert "resembles" in told["error"]


def test_a_page_of_a_search_that_is_lost_begins_no_other_search(storage: ServerCatalog, client: redis.Redis) -> None:
    assert "search again" in answer(page=3)["error"]
    assert list(client.scan_iter(f"{KEY}*:owner")) == []
