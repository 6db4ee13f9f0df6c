"""How often each way to recover was gone, counted in Redis by whoever goes it: one that is never gone is not tested.

They are rare, so each costs a command; a Redis that is away or lost counts nothing, for no work depends on it.
"""

from contextlib import suppress
from typing import cast

import redis

from tasks.broker.full import write
from tasks.queues import PREFIX

RECOVERIES = f"{PREFIX}:recoveries"
# Name -> what happened.
KINDS = {
    "lease_ran_out": "a message of a worker that is gone was put back into its queue",
    "redelivered": "a worker got files that another one had not finished",
    "isolated": "a file was done alone, because it may have killed a worker",
    "handed_back": "a worker that stops gave files back",
    "rerouted": "files went to another worker, because this one cannot do them",
    "published_again": "a producer published files whose messages were nowhere",
    "entry_dropped": "an entry of a queue was no message",
    "store_retried": "a batch waited for a store that was away",
    "owner_refused": "a second catalog was refused",
}


def recovered(client: redis.Redis, kind: str, times: int = 1) -> None:
    """Count one of KINDS; raises KeyError for another one."""
    assert KINDS[kind]
    with suppress(redis.RedisError, OSError):
        write(client, "HINCRBY", RECOVERIES, kind, times)


def recoveries(client: redis.Redis) -> dict[str, int]:
    """Each of KINDS and how often it was counted; raises RedisError while Redis is away."""
    counted = cast(dict[bytes, bytes], client.hgetall(RECOVERIES))
    return {kind: int(counted.get(kind.encode(), 0)) for kind in KINDS}
