"""Files that an ingest which is gone has left in the queues of a private Redis: kept aside until somebody wants them.

Nobody but a command that has pictures worked on may start work. So while there is none, the messages lie in a queue of
their own (`left`), of which no worker takes any.
"""

import json
from typing import Any, cast

import redis

from tasks.broker.scripts import run_script
from tasks.queues import FILES, LEFT, UNACKED, UNACKED_INDEX

# KEYS: from, to. Moves all messages and keeps their order; returns how many.
_MOVE = """
local moved = 0
while redis.call('RPOPLPUSH', KEYS[1], KEYS[2]) do moved = moved + 1 end
return moved
"""


def set_aside(client: redis.Redis) -> int:
    """Take what waits for GPU workers aside; returns how many messages that were."""
    return sum(_move(client, queue, LEFT) for queue in _file_queues(client))


def set_aside_held(client: redis.Redis) -> int:
    """Take aside what workers held that are dead by now; only while no worker lives."""
    moved = 0
    for tag, raw in cast(dict[bytes, bytes], client.hgetall(UNACKED)).items():
        message, _exchange, queue = json.loads(raw)
        if not str(queue).startswith(FILES):
            continue
        pipe = client.pipeline()
        pipe.lpush(LEFT, json.dumps(_redelivered(message)))
        pipe.hdel(UNACKED, tag)
        pipe.zrem(UNACKED_INDEX, tag)
        pipe.execute()
        moved += 1
    return moved


def bring_back(client: redis.Redis) -> int:
    """Put what was set aside before the GPU workers again; returns how many messages that were."""
    return _move(client, LEFT, FILES)


def discard(client: redis.Redis) -> int:
    """Remove what was set aside, and what waits for GPU workers; returns how many messages that were."""
    queues = [LEFT, *_file_queues(client)]
    pipe = client.pipeline()
    for queue in queues:
        pipe.llen(queue)
    pipe.delete(*queues)
    *lengths, _ = pipe.execute()
    return sum(lengths)


def _file_queues(client: redis.Redis) -> list[str]:
    of_workers = cast(list[bytes], list(client.scan_iter(match=f"{FILES}.*", count=1000, _type="LIST")))
    return [FILES, *(queue.decode() for queue in of_workers)]


def _move(client: redis.Redis, source: str, target: str) -> int:
    return int(run_script(client, _MOVE, [source, target]))


def _redelivered(message: dict[str, Any]) -> dict[str, Any]:
    # As kombu does it: its worker may have died of it, so it is tried alone.
    message["headers"]["redelivered"] = True
    message["properties"]["delivery_info"]["redelivered"] = True
    return message
