"""Ways to recover are counted where everybody sees them, and counting them stops nobody."""

import pytest
import redis

from tasks.app import app
from tasks.queues import FILES, UNACKED, UNACKED_INDEX
from tasks.recoveries import KINDS, recovered, recoveries
from tests.tasks.test_round_trips import push


def test_each_way_is_counted_by_its_name_and_at_first_none(client: redis.Redis) -> None:
    assert recoveries(client) == dict.fromkeys(KINDS, 0)
    recovered(client, "isolated")
    recovered(client, "published_again", 3)
    assert recoveries(client) == {**dict.fromkeys(KINDS, 0), "isolated": 1, "published_again": 3}


def test_a_way_that_nobody_knows_is_a_mistake(client: redis.Redis) -> None:
    with pytest.raises(KeyError):
        recovered(client, "prayed")


def test_a_full_redis_counts_and_one_that_is_away_hinders_nobody(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")
    try:
        recovered(client, "isolated")
    finally:
        client.config_set("maxmemory", "0")
    assert recoveries(client)["isolated"] == 1
    recovered(redis.Redis(unix_socket_path="/nowhere/redis.sock"), "isolated")


def test_a_message_whose_lease_ran_out_and_an_entry_that_is_no_message_are_counted(client: redis.Redis) -> None:
    push(client, 1)
    raw = client.rpop(FILES)
    assert isinstance(raw, bytes)
    client.hset(UNACKED, mapping={"good": b"[" + raw + b', "files", "files"]', "bad": "no message"})
    client.zadd(UNACKED_INDEX, {"good": 1, "bad": 1})
    with app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible()
    counted = recoveries(client)
    assert (counted["lease_ran_out"], counted["entry_dropped"]) == (2, 1)
