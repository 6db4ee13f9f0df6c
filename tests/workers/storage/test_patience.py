"""A Qdrant server that is away, busy, full or slow in the middle: the batch is held, the reason is told."""

from collections.abc import Iterator

import pytest
import redis
from celery.exceptions import Reject
from qdrant_client import QdrantClient

from tasks.ledger import Counts
from tasks.registry import faults, report_fault
from tests.until import until
from tests.workers.storage.pictures import DIM, MODEL, picture
from tests.workers.storage.server.moody_server import MoodyServer
from tests.workers.storage.writing import FILES, Writing, writing_to
from workers.storage.server.connection import Connection


@pytest.fixture
def server() -> Iterator[MoodyServer]:
    """A server that answers as it is told to."""
    with MoodyServer(DIM, MODEL) as own:
        yield own


@pytest.fixture
def timeout() -> int:
    """After how many seconds the client gives up: longer than any machine stands still, unless a test is about it."""
    return 60


@pytest.fixture
def writing(
    server: MoodyServer, timeout: int, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Writing]:
    """A storage worker's task on the client's real HTTP, in front of that server."""
    over_http = QdrantClient(url=server.url, timeout=timeout, check_compatibility=False)
    with writing_to(Connection(server.url, over_http), client, monkeypatch) as own:
        yield own


FULL = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"


@pytest.mark.parametrize(
    ("mood", "words", "told"),
    [
        (503, "", "Qdrant at {url} does not answer ("),
        (429, "", "Qdrant at {url} says again and again that it is busy"),
        ("closed", "", "Qdrant at {url} does not answer ("),
        (408, "Timeout: not in 1 s", "Qdrant at {url} does not answer (Timeout: not in 1 s)"),
        (500, FULL, f"Qdrant's disk is full: make room on it ({{url}} says: {FULL})."),
        (500, "Service internal error: panic", "Qdrant has failed: see its log ("),
        (507, "Insufficient storage: a quota", "Qdrant has reached the limit of its storage: "),
        (403, "Storage locked: for a backup", "Qdrant is locked: unlock it ("),
        (403, "Forbidden: Global manage access is required", "Qdrant at {url} refuses the key (Forbidden: Global "),
        (401, "Invalid API key or JWT", "Qdrant at {url} refuses the key (Invalid API key or JWT): set qdrant.api_key"),
        (404, "Not found: Collection", "Qdrant at {url} cannot do it now (Not found: Collection)"),
        (418, "", "Qdrant at {url} cannot do it now ("),
        ("strange", "", "What answers at {url} is no Qdrant that this release understands"),
    ],
)
def test_a_batch_is_held_whatever_the_server_answers_and_written_when_it_is_well_again(
    server: MoodyServer, writing: Writing, client: redis.Redis, mood: int | str, words: str, told: str
) -> None:
    assert_held_and_written(server, writing, client, mood, words, told)


@pytest.mark.parametrize("timeout", [1])
def test_a_batch_is_held_while_the_server_does_not_answer_in_time(
    server: MoodyServer, writing: Writing, client: redis.Redis
) -> None:
    assert_held_and_written(server, writing, client, "slow", "", "Qdrant at {url} does not answer (")


def assert_held_and_written(
    server: MoodyServer, writing: Writing, client: redis.Redis, mood: int | str, words: str, told: str
) -> None:
    server.mood, server.words = mood, words
    thread = writing.start()
    fault = until(lambda: faults(client).get("storage"), "the reason to be told")
    assert fault.startswith(told.format(url=server.url))
    assert writing.ledger.counts() == Counts()
    server.mood, server.words = 200, ""
    thread.join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert (faults(client), writing.error) == ({}, [])


@pytest.mark.parametrize("status", [400, 422])
def test_a_point_that_the_server_refuses_fails_alone_with_its_words(
    server: MoodyServer, writing: Writing, status: int
) -> None:
    bad = picture(1).id.encode()
    server.mood, server.words = lambda body: status if bad in body else 200, "Wrong input: a number"
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(stored=FILES - 1, failed=1)
    (failure,) = writing.ledger.failures()
    assert (failure.number, failure.stage) == (1, "store")
    assert failure.reason == f"Qdrant at {server.url} refused a request: Wrong input: a number."


def test_a_batch_that_is_not_understood_fails_and_is_not_left_without_an_end(
    server: MoodyServer, writing: Writing
) -> None:
    writing.payload = {"gps": {"lat": "north", "lon": "east"}}
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(failed=FILES)


def test_a_batch_that_is_too_large_for_a_proxy_is_cut_down(server: MoodyServer, writing: Writing) -> None:
    first, second = picture(0).id.encode(), picture(1).id.encode()
    server.mood = lambda body: 413 if first in body and second in body else 200
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)


def test_a_worker_that_stops_while_the_server_is_away_gives_the_batch_back(
    server: MoodyServer, writing: Writing, client: redis.Redis
) -> None:
    server.mood = 503
    thread = writing.start()
    until(lambda: faults(client).get("storage"), "the reason to be told")
    writing.stopping.set()
    thread.join(60)
    assert [error.requeue for error in writing.error if isinstance(error, Reject)] == [True]
    assert writing.ledger.counts() == Counts()


def test_a_batch_that_is_written_at_once_leaves_the_fault_of_another_one_alone(
    writing: Writing, client: redis.Redis
) -> None:
    report_fault(client, "storage", "something else")
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert faults(client) == {"storage": "something else"}


def test_a_batch_for_another_collection_is_never_written_and_fails_by_name(writing: Writing) -> None:
    writing.collection = "cats"
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(failed=FILES)
    reasons = {failure.reason.partition(" ")[2] for failure in writing.ledger.failures()}
    assert reasons == {
        "keeps the collection 'pictures', and this is for 'cats': set qdrant.collection to the same name for both."
    }
    assert writing.error == []


def test_what_redis_answers_about_a_fault_of_ours_ends_the_batch_and_is_not_asked_for_ever(
    writing: Writing, client: redis.Redis
) -> None:
    client.lpush(writing.ledger.key("stored"), "this is no bitmap")
    thread = writing.start()
    thread.join(60)
    assert not thread.is_alive()
    assert ["WRONGTYPE" in str(error) for error in writing.error] == [True]


def test_a_redis_that_takes_no_writes_is_waited_for(
    writing: Writing, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.config_set("min-replicas-to-write", "1")
    thread = writing.start()
    try:
        until(lambda: "NOREPLICAS" in caplog.text, "the worker to say what it waits for")
    finally:
        client.config_set("min-replicas-to-write", "0")
    thread.join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert writing.error == []
