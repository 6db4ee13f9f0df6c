"""Writes that a full Redis takes as well: those that finish work which is in Redis already, and so make room.

A Redis that has reached its maxmemory refuses what adds data. What brings new work (a producer's files, questions) has
to wait then. What workers write about work that they hold must not wait: it is little, and only then does their message
leave Redis. Redis takes it from a script that has written before, but never in a transaction.
"""

from typing import Any

import redis
from redis.exceptions import OutOfMemoryError

from tasks.broker.scripts import run_script

# The beginning of a script that may go on when memory is used up: it removes what is not there.
WRITE_FIRST = "redis.call('DEL', '')\n"
_ANY = WRITE_FIRST + "return redis.call(unpack(ARGV))"


def write(client: redis.Redis, *command: Any) -> Any:
    """Do one command that writes, also when Redis is full."""
    try:
        return client.execute_command(*command)
    except OutOfMemoryError:
        # Without keys: that is for a Redis Cluster, which is refused.
        return run_script(client, _ANY, args=command)
