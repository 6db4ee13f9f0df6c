"""Messages taken and acknowledged many at a time: nothing is noted twice, and nothing is left over."""

import json
from collections.abc import Callable, Iterator
from typing import cast

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.message import Message
from kombu.messaging import Consumer

from tasks.app import app
from tasks.envelope import Envelope
from tasks.messages import FileItem, FilesMessage, Target
from tasks.queues import (
    EMBED_TEXTS,
    FILES,
    FILES_LATER,
    PLAN,
    POINTS,
    PROCESS_FILES,
    STORE_POINTS,
    UNACKED,
    UNACKED_INDEX,
)
from tasks.transport.scripts import RENEW
from tests.until import until

PREFETCH_COUNT = 5


def push(client: redis.Redis, count: int, queue: str = FILES, first: int = 0) -> None:
    envelope = Envelope(PROCESS_FILES, queue, parent="job")
    for number in range(first, first + count):
        wire = FilesMessage(
            Target("pictures"), "job", "file:///r", [FileItem(number, f"file:///r/{number}.jpg")]
        ).to_wire()
        client.lpush(queue, envelope.message(wire, f"{number}.jpg", [number]))


@pytest.fixture
def connection(client: redis.Redis) -> Iterator[Connection]:
    """A connection of the app over its own transport."""
    with app.connection_for_read() as opened:
        yield opened


@pytest.fixture
def drain(connection: Connection) -> Callable[..., list[Message]]:
    """Wait for one event of a consumer with PREFETCH_COUNT free places; returns the messages that it brought."""
    messages: list[Message] = []
    consumer = Consumer(
        connection.channel(),
        [app.amqp.queues.new_missing(FILES), app.amqp.queues.new_missing(FILES_LATER)],
        on_message=messages.append,
        accept=app.conf.accept_content,
        prefetch_count=PREFETCH_COUNT,
    )
    consumer.consume()

    def once(seconds: float = 60) -> list[Message]:
        messages.clear()
        connection.drain_events(timeout=seconds)
        return list(messages)

    return once


def numbers(messages: list[Message]) -> list[int]:
    return [message.decode()[1]["files"][0][0] for message in messages]


def test_files_whose_captions_come_later_let_all_others_go_first(
    client: redis.Redis, drain: Callable[[], list[Message]]
) -> None:
    push(client, 3, FILES_LATER, first=100)
    push(client, 2)
    taken: list[int] = []
    while len(taken) < 5:
        taken += numbers(drain())
    assert taken == [0, 1, 100, 101, 102]


def test_one_event_brings_as_many_messages_as_there_are_places_in_their_order(
    client: redis.Redis, drain: Callable[[], list[Message]]
) -> None:
    push(client, 12)
    assert numbers(drain()) == [0, 1, 2, 3, 4]
    assert client.llen(FILES) == 7
    assert client.hlen(UNACKED) == client.zcard(UNACKED_INDEX) == PREFETCH_COUNT


def test_acknowledged_messages_are_forgotten_and_make_room(
    client: redis.Redis, drain: Callable[[], list[Message]]
) -> None:
    push(client, 12)
    first = drain()
    for message in first[:4]:
        message.ack()
    until(lambda: client.hlen(UNACKED) == client.zcard(UNACKED_INDEX) == 1, "the acknowledgements")
    assert numbers(drain()) == [5, 6, 7, 8]


def test_acknowledgements_are_sent_before_the_connection_closes(
    client: redis.Redis, connection: Connection, drain: Callable[[], list[Message]]
) -> None:
    push(client, PREFETCH_COUNT)
    for message in drain():
        message.ack()
    connection.close()
    assert client.hlen(UNACKED) == client.zcard(UNACKED_INDEX) == 0
    assert client.llen(FILES) == 0


def test_what_is_held_when_the_connection_closes_goes_back_whole_and_marked(
    client: redis.Redis, connection: Connection, drain: Callable[[], list[Message]]
) -> None:
    push(client, PREFETCH_COUNT)
    held = {message.delivery_tag for message in drain()}
    connection.close()
    assert client.hlen(UNACKED) == 0
    back = [json.loads(raw) for raw in cast(list[bytes], client.lrange(FILES, 0, -1))]
    assert {message["properties"]["delivery_tag"] for message in back} == held
    assert all(message["headers"]["redelivered"] for message in back)


def test_one_that_is_handed_back_comes_again_and_is_noted_once(
    client: redis.Redis, drain: Callable[[], list[Message]]
) -> None:
    push(client, 2)
    first, second = drain()
    first.reject(requeue=True)
    second.ack()
    until(lambda: client.hlen(UNACKED) == 0, "both to be gone")
    (again,) = drain()
    assert again.delivery_tag == first.delivery_tag
    assert again.delivery_info["redelivered"]
    assert client.hkeys(UNACKED) == [first.delivery_tag.encode()]


@pytest.mark.parametrize(
    "garbage", [b"\xff no message", b"3", b"[]", b"{}", b'{"properties": {}}', b'{"properties": {"delivery_info": 1}}']
)
def test_what_is_no_message_is_dropped_and_those_behind_it_come(
    client: redis.Redis, drain: Callable[[], list[Message]], garbage: bytes
) -> None:
    push(client, 2)
    client.lpush(FILES, garbage)
    assert numbers(drain()) == [0, 1]
    assert client.lrange(FILES, 0, -1) == [garbage]
    push(client, 1)
    assert numbers(drain()) == [0]
    assert client.llen(FILES) == 0


PADDED = (
    b'{"properties": {"delivery_tag": "bad", "delivery_info": {"exchange": "", "routing_key": "files"}, "a": 0x10}}'
)


def test_an_entry_that_redis_can_read_and_python_cannot_is_dropped_behind_a_good_one(
    client: redis.Redis, drain: Callable[[], list[Message]]
) -> None:
    client.lpush(FILES, PADDED, PADDED.replace(b"bad", b"worse"))
    push(client, 1)
    assert client.lmove(FILES, FILES, "LEFT", "RIGHT"), "the good one is taken first"
    assert numbers(drain()) == [0]
    assert client.llen(FILES) == 0
    assert client.hlen(UNACKED) == client.zcard(UNACKED_INDEX) == 1


def test_a_held_entry_that_cannot_be_restored_is_removed_and_not_tried_for_ever(
    client: redis.Redis, connection: Connection
) -> None:
    client.hset(UNACKED, "bad", b"[" + PADDED + b', "files", "files"]')
    client.zadd(UNACKED_INDEX, {"bad": 1})
    connection.default_channel.qos.restore_visible()
    assert client.hlen(UNACKED) == client.zcard(UNACKED_INDEX) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(entries=st.lists(st.binary(max_size=60) | st.sampled_from([PADDED, PADDED[:-9]]), max_size=3))
def test_any_bytes_in_a_queue_end_no_worker_and_hold_up_no_message(
    client: redis.Redis, drain: Callable[[], list[Message]], entries: list[bytes]
) -> None:
    client.flushall()
    for entry in entries:
        client.lpush(FILES, entry)
    push(client, 1)
    received = drain()
    assert numbers(received) == [0]
    received[0].ack()
    until(lambda: client.hlen(UNACKED) == client.zcard(UNACKED_INDEX) == 0, "nothing to be held")


def test_leases_go_by_the_clock_of_redis(
    client: redis.Redis, drain: Callable[[], list[Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)
    push(client, 2)
    drain()
    seconds = client.time()[0]
    held = cast(list[tuple[bytes, float]], client.zrange(UNACKED_INDEX, 0, -1, withscores=True))
    assert len(held) == 2
    assert all(abs(score - seconds) < 60 for _, score in held)


@pytest.fixture
def full(client: redis.Redis) -> Iterator[redis.Redis]:
    """A Redis whose memory is used up, from `config_set("maxmemory", "1")` on; afterwards it has room again."""
    yield client
    client.config_set("maxmemory", "0")


def test_a_full_redis_loses_no_message_that_was_popped_and_ends_no_consumer(
    full: redis.Redis, connection: Connection, drain: Callable[[], list[Message]]
) -> None:
    push(full, 2)
    full.config_set("maxmemory", "1")
    assert numbers(drain()) == [0, 1]
    assert full.hlen(UNACKED) == 2
    full.config_set("maxmemory", "0")
    full.zadd(UNACKED_INDEX, dict.fromkeys(cast(list[bytes], full.hkeys(UNACKED)), 1), xx=True)
    full.config_set("maxmemory", "1")
    connection.default_channel.qos.restore_visible()
    assert (full.hlen(UNACKED), full.zcard(UNACKED_INDEX), full.llen(FILES)) == (0, 0, 2)


def test_a_full_redis_takes_acknowledgements_and_renews_leases(
    full: redis.Redis, connection: Connection, drain: Callable[[], list[Message]]
) -> None:
    push(full, 3)
    full.config_set("maxmemory", "1")
    first, second, third = drain()
    first.ack()
    second.reject()
    until(lambda: full.hlen(UNACKED) == full.zcard(UNACKED_INDEX) == 1, "two to be gone")
    third.reject(requeue=True)
    assert (full.hlen(UNACKED), full.zcard(UNACKED_INDEX), full.llen(FILES)) == (0, 0, 1)
    full.config_set("maxmemory", "0")
    full.zadd(UNACKED_INDEX, {"held": 1})
    full.config_set("maxmemory", "1")
    full.register_script(RENEW)(keys=[UNACKED_INDEX], args=["held"])
    assert cast(float, full.zscore(UNACKED_INDEX, "held")) > 1e9


def test_a_message_that_was_acknowledged_does_not_come_back_with_the_renewal_of_its_lease(client: redis.Redis) -> None:
    client.zadd(UNACKED_INDEX, {"held": 1})
    client.register_script(RENEW)(keys=[UNACKED_INDEX], args=["held", "acknowledged meanwhile"])
    assert client.zrange(UNACKED_INDEX, 0, -1) == [b"held"]


def test_a_full_redis_takes_what_a_worker_passes_on_and_no_new_work(full: redis.Redis) -> None:
    full.config_set("maxmemory", "1")
    for queue, task in ((POINTS, STORE_POINTS), (f"{FILES}.gpu0@host", PROCESS_FILES)):
        app.send_task(task, queue=queue)
        assert full.llen(queue) == 1
    for task in (PLAN, EMBED_TEXTS):
        with pytest.raises(OperationalError, match="maxmemory"):
            app.send_task(task)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        push(full, 1)


def test_the_answer_to_a_question_fits_into_a_full_redis(full: redis.Redis) -> None:
    full.config_set("maxmemory", "1")
    app.backend.store_result("an-answer", {"value": 1}, "SUCCESS")
    assert app.backend.get_result("an-answer") == {"value": 1}


def test_a_redis_that_takes_no_writes_is_asked_for_messages_again_later(
    client: redis.Redis, drain: Callable[..., list[Message]]
) -> None:
    push(client, 2)
    client.config_set("min-replicas-to-write", "1")
    try:
        with pytest.raises((TimeoutError, OSError)):
            drain(2)
    finally:
        client.config_set("min-replicas-to-write", "0")
    assert numbers(drain()) == [0, 1]
