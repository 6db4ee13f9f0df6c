"""A script runs on a Redis that has just started anew as on one that knows it."""

from typing import Any

import redis

from tasks.broker.scripts import run_script

ADDS = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


class Forgetful(redis.Redis):
    """A client of a Redis that starts anew between any two commands."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """See Redis."""
        if args[0] == "EVALSHA":
            super().execute_command("SCRIPT FLUSH")
        return super().execute_command(*args, **options)


def test_a_redis_that_starts_anew_between_any_two_commands_runs_it_once(client: redis.Redis) -> None:
    forgetful = Forgetful(connection_pool=client.connection_pool)
    assert run_script(forgetful, ADDS, ["number"], [3]) == 3
    assert client.get("number") == b"3"


def test_a_script_that_redis_knows_is_not_sent_again(client: redis.Redis) -> None:
    run_script(client, ADDS, ["number"], [3])
    before = client.info("commandstats")
    assert run_script(client, ADDS, ["number"], [4]) == 7
    after = client.info("commandstats")
    assert after["cmdstat_evalsha"]["calls"] == before["cmdstat_evalsha"]["calls"] + 1
    assert after["cmdstat_eval"]["calls"] == before["cmdstat_eval"]["calls"]
