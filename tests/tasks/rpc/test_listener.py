"""The answers to questions are heard as they come, whatever happens to the connection, and nothing of them is left."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from settings import load_settings
from tasks.rpc import listener
from tasks.rpc.listener import RESULT_KEY, Listener
from tests.until import until

SECONDS = 60.0


@pytest.fixture
def heard(client: redis.Redis) -> Iterator[Listener]:
    """A listener of its own, whose thread has ended when the test has."""
    client.ping()
    made = Listener(load_settings())
    yield made
    until(lambda: made._thread is None, "the thread to end")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "IDLE_SECONDS", 0.2)


def answer(client: redis.Redis, name: str, result: bytes) -> None:
    """What Celery's backend does at the end of a task."""
    client.set(RESULT_KEY + name, result, ex=600)
    client.publish(RESULT_KEY + name, result)


def hearing(client: redis.Redis, heard: Listener) -> int:
    """How many connections hear what is published for this listener: those of other processes do not count."""
    return int(client.publish(f"{RESULT_KEY}{heard._prefix}nobody", b""))


def test_an_answer_is_heard_and_its_copy_removed(client: redis.Redis, heard: Listener) -> None:
    one, other = heard.expect(), heard.expect()
    answer(client, other.name, b"2")
    answer(client, one.name, b"1")
    assert one.comes(SECONDS)
    assert other.comes(SECONDS)
    assert (one.result, other.result) == (b"1", b"2")
    until(lambda: not client.keys(f"{RESULT_KEY}*"), "the copies to be removed")


def test_an_answer_that_was_published_while_nobody_heard_it_is_found(client: redis.Redis, heard: Listener) -> None:
    first = heard.expect()
    until(lambda: hearing(client, heard), "the listener to listen")
    # Known by its key alone, as after a moment without a connection.
    client.set(RESULT_KEY + first.name, b"late", ex=600)
    assert first.comes(SECONDS)
    assert first.result == b"late"


def test_a_connection_that_is_lost_is_made_anew(client: redis.Redis, heard: Listener) -> None:
    first = heard.expect()
    until(lambda: hearing(client, heard), "the listener to listen")
    client.client_kill_filter(_type="pubsub")
    answer(client, first.name, b"after all")
    assert first.comes(SECONDS)
    assert first.result == b"after all"


def test_nobody_listens_while_nobody_waits_and_the_next_question_is_heard(client: redis.Redis, heard: Listener) -> None:
    for turn in range(2):
        asked = heard.expect()
        answer(client, asked.name, b"%d" % turn)
        assert asked.comes(SECONDS)
        assert asked.result == b"%d" % turn
        del asked
        until(lambda: heard._thread is None and not hearing(client, heard), "the connection to be closed")


def test_an_answer_that_nobody_waits_for_any_more_is_let_go(client: redis.Redis, heard: Listener) -> None:
    gone, kept = heard.expect(), heard.expect()
    until(lambda: hearing(client, heard), "the listener to listen")
    name = gone.name
    del gone
    answer(client, name, b"nobody")
    answer(client, kept.name, b"somebody")
    assert kept.comes(SECONDS)
    assert kept.result == b"somebody"
    until(lambda: not client.exists(RESULT_KEY + name), "the copy to be removed")


def test_all_threads_that_wait_share_one_connection(client: redis.Redis, heard: Listener) -> None:
    asked = [heard.expect() for _ in range(32)]
    until(lambda: hearing(client, heard), "the listener to listen")
    with ThreadPoolExecutor(32) as threads:
        came = threads.map(lambda each: each.comes(SECONDS) and each.result, asked)
        for number, each in enumerate(asked):
            answer(client, each.name, b"%d" % number)
        assert list(came) == [b"%d" % number for number in range(32)]
    assert hearing(client, heard) == 1
