"""Which files are published again: those whose messages are nowhere, whoever else is busy."""

from typing import Any, cast

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.ingest.reconcile import NOWHERE_SECONDS, PAGE, Reconciler
from producer.ingest.window import Window
from tasks.app import app
from tasks.envelope import files_header
from tasks.ledger import Ledger
from tasks.queues import FILES, POINTS, STORE_POINTS, UNACKED, files_of_worker
from tasks.registry import renew_worker
from tests.producer.files import ROOT_URI, TARGET, numbered, take_all


@pytest.fixture
def reconciler(client: redis.Redis, ledger: Ledger, window: Window) -> Reconciler:
    return Reconciler(client, ledger, window)


def published_in(reconciler: Reconciler, looks: int, begin: float = 1000.0) -> int:
    """So many looks, each long after the one before, whatever time they themselves take."""
    return sum(reconciler.publish_missing(begin + 1000 * look) for look in range(looks))


def waiting(client: redis.Redis) -> list[Any]:
    """The messages in the queue."""
    return cast(list[Any], client.lrange(FILES, 0, -1))


def lose(client: redis.Redis, *numbers: int) -> None:
    """Take the messages of these files out of the queue, as a worker does that is killed before it notes them."""
    for raw in waiting(client):
        if any(f'"job:{number}"'.encode() in raw for number in numbers):
            client.lrem(FILES, 1, raw)


def test_a_lost_file_is_published_again_while_its_neighbours_wait(client: redis.Redis, reconciler: Reconciler) -> None:
    lose(client, 3, 7)
    assert published_in(reconciler, 2) == 2
    assert sorted(number for taken in take_all() for number in taken.numbers) == list(range(10))


def test_one_look_proves_nothing(client: redis.Redis, reconciler: Reconciler) -> None:
    lose(client, 3)
    assert published_in(reconciler, 1) == 0


def test_what_others_do_neither_hides_a_loss_nor_looks_like_one(client: redis.Redis, reconciler: Reconciler) -> None:
    client.hset(UNACKED, "tag", "a task of another application that runs for hours")
    client.lpush(FILES, "what is no message", b"\xff\x00")
    other = Window(Ledger(client, "another job"), TARGET, ROOT_URI, 10, 1)
    other.enqueue(numbered(3))
    lose(client, 3)
    assert published_in(reconciler, 2) == 1


@pytest.mark.parametrize(
    "place", ["in a worker", "in the queue of one worker", "on its way to storage", "being stored"]
)
def test_a_file_is_not_lost_while_any_message_holds_it(client: redis.Redis, reconciler: Reconciler, place: str) -> None:
    (raw,) = [raw for raw in waiting(client) if b'"job:4"' in raw]
    lose(client, 4)
    if place == "in a worker":
        client.hset(UNACKED, "tag", b"[" + raw + b', "files", "files"]')
    elif place == "in the queue of one worker":
        renew_worker(client, "gpu0@host", has=TARGET)
        client.lpush(files_of_worker("gpu0@host"), raw)
    else:
        app.send_task(STORE_POINTS, kwargs={"vectors": bytes(100_000)}, headers=files_header("job", [2, 4, 5]))
        if place == "being stored":
            points = client.rpop(POINTS)
            assert isinstance(points, bytes)
            client.hset(UNACKED, "tag", b"[" + points + b', "points", "points"]')
    assert published_in(reconciler, 2) == 0


def test_the_queue_of_a_worker_that_is_gone_holds_nothing(client: redis.Redis, reconciler: Reconciler) -> None:
    (raw,) = [raw for raw in waiting(client) if b'"job:4"' in raw]
    lose(client, 4)
    client.lpush(files_of_worker("gpu0@gone"), raw)
    assert published_in(reconciler, 2) == 1


def test_what_is_finished_is_not_published_again(client: redis.Redis, ledger: Ledger, reconciler: Reconciler) -> None:
    lose(client, *range(10))
    ledger.stored([0, 1, 2], [False] * 3)
    ledger.skipped([3])
    assert published_in(reconciler, 2) == 6


def test_a_file_that_shows_up_in_between_starts_the_wait_anew(client: redis.Redis, reconciler: Reconciler) -> None:
    (raw,) = [raw for raw in waiting(client) if b'"job:4"' in raw]
    lose(client, 4)
    assert reconciler.publish_missing(1000) == 0
    client.hset(UNACKED, "tag", raw)
    assert reconciler.publish_missing(2000) == 0
    client.delete(UNACKED)
    assert reconciler.publish_missing(3000) == 0
    assert reconciler.publish_missing(4000) == 1


def test_two_looks_in_the_same_moment_prove_nothing(
    client: redis.Redis, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(client, 4)
    assert reconciler.publish_missing(1000) == 0
    monkeypatch.setattr(reconciler, "_pause", 0.0)
    assert reconciler.publish_missing(1000 + NOWHERE_SECONDS - 1) == 0
    monkeypatch.setattr(reconciler, "_pause", 0.0)
    assert reconciler.publish_missing(1000 + NOWHERE_SECONDS) == 1


def test_what_was_published_again_and_lost_again_is_published_once_more(
    client: redis.Redis, reconciler: Reconciler
) -> None:
    lose(client, 4)
    assert published_in(reconciler, 2) == 1
    lose(client, 4)
    assert published_in(reconciler, 2, 9000) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(
    lost=st.sets(st.integers(0, 3 * PAGE - 1), max_size=20),
    held=st.sets(st.integers(0, 3 * PAGE - 1), max_size=20),
    per_task=st.sampled_from([1, 7]),
)
def test_exactly_the_lost_ones_are_found_among_many(
    client: redis.Redis, lost: set[int], held: set[int], per_task: int
) -> None:
    client.flushall()
    ledger = Ledger(client, "many")
    window = Window(ledger, TARGET, ROOT_URI, 3 * PAGE, per_task)
    window.enqueue(numbered(*range(3 * PAGE)))
    gone: set[int] = set()
    for raw in waiting(client):
        numbers = {int(number) for number in raw.split(b'"many:')[1].split(b'"')[0].split(b",")}
        if numbers & (lost | held):
            client.lrem(FILES, 1, raw)
            if numbers & held:
                client.hset(UNACKED, str(min(numbers)), raw)
            else:
                gone |= numbers
    reconciler = Reconciler(client, ledger, window)
    assert published_in(reconciler, 2) == len(gone)
