"""Private names of kombu and Celery that the transport, the envelope and the questions rely on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis
from kombu.transport.redis import Channel as KombuChannel
from kombu.utils.json import dumps

from tasks.app import app
from tasks.queues import FILES, UNACKED
from tasks.transport import Channel, QoS
from tests.conftest import ROOT
from tests.private_names import PrivateName, documented_names, fail, require_documented

TRANSPORT = "tasks/transport/channel.py"
QOS = "tasks/transport/qos.py"
REDIS, VIRTUAL = "kombu.transport.redis", "kombu.transport.virtual"

NAMES = [
    PrivateName(REDIS, "QoS.__init__", QOS, "self, *args, **kwargs", "da363227cf49"),
    PrivateName(REDIS, "QoS.append", QOS, "self, message, delivery_tag", "0317b9ba50a5"),
    PrivateName(VIRTUAL, "QoS.append", QOS, "self, message, delivery_tag", "2e91baaa1e9c"),
    PrivateName(REDIS, "QoS.ack", QOS, "self, delivery_tag", "26f3dfe970b7"),
    PrivateName(VIRTUAL, "QoS.ack", QOS, "self, delivery_tag", "677791f35576"),
    PrivateName(VIRTUAL, "QoS.can_consume_max_estimate", TRANSPORT, "self"),
    PrivateName(REDIS, "QoS.unacked_key", QOS),
    PrivateName(REDIS, "QoS.unacked_index_key", QOS),
    PrivateName(REDIS, "QoS.visibility_timeout", QOS),
    PrivateName(REDIS, "QoS.restore_by_tag", QOS, "self, tag, client, leftmost", "7fe7d8a62d4a"),
    PrivateName(REDIS, "QoS.restore_visible", QOS, "self, start, num, interval", "d2e52bcee684"),
    PrivateName(REDIS, "QoS.reject", QOS, "self, delivery_tag, requeue", "dff209f17cda"),
    PrivateName(VIRTUAL, "Channel._lookup", QOS, "self, exchange, routing_key, default"),
    PrivateName(REDIS, "Channel.QoS", TRANSPORT),
    PrivateName(REDIS, "Channel._get_client", TRANSPORT, "self", "0d9899c25ce0"),
    PrivateName(REDIS, "Channel._put", TRANSPORT, "self, queue, message, **kwargs", "d21a08cd5748"),
    PrivateName(REDIS, "Channel._queue_bind", TRANSPORT, "self, exchange, routing_key, pattern, queue", "f0e6bec96b69"),
    PrivateName(REDIS, "Channel.keyprefix_queue", TRANSPORT),
    PrivateName(REDIS, "Channel.sep", TRANSPORT),
    PrivateName(
        "celery.backends.redis",
        "RedisBackend._set",
        "tasks/transport/results.py",
        "self, key, value, expires",
        "6f379d07abaf",
    ),
    PrivateName("celery.loaders.base", "BaseLoader.override_backends", "tasks/app.py"),
    PrivateName(REDIS, "Transport.Channel", TRANSPORT),
    PrivateName(REDIS, "Channel._create_client", TRANSPORT, "self, asynchronous", "c37fcac808c0"),
    PrivateName(REDIS, "Channel.pool", TRANSPORT),
    PrivateName(REDIS, "Channel._get_pool", TRANSPORT, "self, asynchronous"),
    PrivateName(REDIS, "Channel._connparams", TRANSPORT, "self, asynchronous"),
    PrivateName(REDIS, "Channel.get_table", TRANSPORT, "self, exchange", "0553e69ea6d6"),
    PrivateName(REDIS, "Channel._brpop_read", TRANSPORT, "self, **options", "01ba7a5a26bc"),
    PrivateName(REDIS, "Channel._brpop_start", TRANSPORT, "self, timeout", "5e5c6e2fbd89"),
    PrivateName(REDIS, "Channel._closing", TRANSPORT),
    PrivateName(REDIS, "Channel.active_queues", TRANSPORT),
    PrivateName(REDIS, "Channel.close", TRANSPORT, "self", "1aba0a603c10"),
    PrivateName(VIRTUAL, "Channel.basic_consume", TRANSPORT, None, "3ba529bfd4a3"),
    PrivateName(VIRTUAL, "Transport._deliver", TRANSPORT, "self, message, queue"),
    PrivateName("kombu.utils.json", "loads", TRANSPORT),
    PrivateName("kombu.transport", "TRANSPORT_ALIASES", "tasks/app.py"),
    PrivateName("celery.app.amqp", "AMQP.as_task_v2", "tasks/envelope.py", None, "4bf23856319d"),
    PrivateName("celery.backends.base", "KeyValueStoreBackend.task_keyprefix", "tasks/rpc/listener.py"),
    PrivateName(
        "celery.backends.base", "BaseKeyValueStoreBackend._store_result", "tasks/rpc/listener.py", None, "6b93933946db"
    ),
]
# Set on each object by kombu, and so not found on its classes.
OF_A_CHANNEL = ["Client", "_queue_cycle", "_qos"]
OF_A_QOS = ["_delivered"]


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_a_name_is_as_it_was_when_it_was_read(name: PrivateName) -> None:
    name.check()
    require_documented(name.label)


@pytest.fixture
def channel(client: redis.Redis) -> Iterator[Channel]:
    """An open channel of our transport, on a real Redis."""
    with app.connection_for_read() as connection:
        yield connection.channel()


@pytest.mark.parametrize("name", OF_A_CHANNEL)
def test_a_channel_has_the_attributes_that_ours_uses(channel: Channel, name: str) -> None:
    require_documented(f"Channel.{name}")
    if not hasattr(channel, name):
        fail("kombu", f"Channel.{name}", TRANSPORT, "is gone")


@pytest.mark.parametrize("name", OF_A_QOS)
def test_a_qos_has_the_attributes_that_ours_uses(channel: Channel, name: str) -> None:
    require_documented(f"QoS.{name}")
    if not hasattr(channel.qos, name):
        fail("kombu", f"QoS.{name}", TRANSPORT, "is gone")


def test_kombu_makes_its_objects_from_our_classes(channel: Channel) -> None:
    if type(channel) is not Channel or type(channel.qos) is not QoS:
        fail("kombu", "Transport.Channel or Channel.QoS", TRANSPORT, "is not used any more to make channels")


def test_the_free_places_of_a_channel_are_counted_and_unknown_without_a_limit(channel: Channel) -> None:
    counts: list[int | None] = [channel.qos.can_consume_max_estimate()]
    channel.qos.prefetch_count = 3
    counts.append(channel.qos.can_consume_max_estimate())
    channel.qos._delivered["a tag"] = None
    counts.append(channel.qos.can_consume_max_estimate())
    channel.qos._delivered.clear()
    if counts != [None, 3, 2]:
        fail("kombu", "QoS.can_consume_max_estimate", TRANSPORT, f"counts {counts} instead of [None, 3, 2]")


def test_the_list_of_a_queue_has_the_name_of_the_queue(channel: Channel) -> None:
    require_documented("Channel._q_for_pri")
    if (key := channel._q_for_pri(FILES, 0)) != FILES:
        fail("kombu", "Channel._q_for_pri", TRANSPORT, f"calls the list of the queue {FILES} {key}")


def test_queues_are_tried_in_their_order(channel: Channel) -> None:
    channel._queue_cycle.update(["a", "b", "c"])
    channel._queue_cycle.rotate("a")
    if (order := channel._queue_cycle.consume(3)) != ["a", "b", "c"]:
        fail("kombu", "Channel._queue_cycle", TRANSPORT, f"gives the queues a, b, c as {order}")


def test_a_closed_connection_needs_our_check(channel: Channel) -> None:
    connection, channel.connection = channel.connection, None
    try:
        KombuChannel._connparams(channel)
    except AttributeError:
        return
    finally:
        channel.connection = connection
    fail("kombu", "Channel._connparams", TRANSPORT, "raises no AttributeError any more")


def test_kombu_marks_dates_in_json_as_we_look_for_them() -> None:
    if "__type__" not in json.loads(dumps({"at": datetime.now(UTC)}))["at"]:
        fail("kombu", "kombu.utils.json.loads", TRANSPORT, 'does not mark a date by "__type__"')


def test_the_messages_that_workers_hold_are_counted_by_the_key_that_kombu_writes(channel: Channel) -> None:
    if (key := channel.unacked_key) != UNACKED:
        fail("kombu", "Channel.unacked_key", "workers/metrics.py", f"is {key!r} instead of {UNACKED!r}")


def test_every_documented_name_is_tested() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.joinpath("tests").rglob("test_private_names.py"))
    untested = {name for name in documented_names() if name.rpartition(".")[2] not in tests}
    assert untested == set()
