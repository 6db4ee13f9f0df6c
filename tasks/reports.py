"""What workers report of themselves for a moment: what they load and how far it is, and how fast their models are.

Each report is a key of Redis that runs out by itself. Nothing is decided by it: it is for people who wait.
"""

import json
from typing import cast

import redis

from tasks.queues import PREFIX
from tasks.registry import WORKER_LEASE_SECONDS, workers

# Said every second while it is true.
LOADING_SECONDS = 5


def report_loading(client: redis.Redis, name: str, sentence: str) -> None:
    """Say what the worker `name` downloads or loads; an empty sentence says that it is done."""
    key = _key("loading", name)
    if sentence:
        client.set(key, sentence, ex=LOADING_SECONDS)
    else:
        client.delete(key)


def loading(client: redis.Redis) -> dict[str, str]:
    """Name -> what that worker downloads or loads now, and how far it is."""
    return _reports(client, "loading")


def report_speed(client: redis.Redis, name: str, seconds_per_picture: dict[str, float]) -> None:
    """Say how many seconds the models of the worker `name` need for one picture, by the names of their checkpoints."""
    client.set(_key("speed", name), json.dumps(seconds_per_picture), ex=WORKER_LEASE_SECONDS)


def speeds(client: redis.Redis) -> dict[str, dict[str, float]]:
    """Name of a worker -> checkpoint -> the seconds that it needs for one picture, of those who have measured it."""
    return {name: json.loads(text) for name, text in _reports(client, "speed").items()}


def _key(kind: str, name: str) -> str:
    return f"{PREFIX}:{kind}:{name}"


def _reports(client: redis.Redis, kind: str) -> dict[str, str]:
    names = [worker.name for worker in workers(client).values()]
    if not names:
        return {}
    texts = cast(list[bytes | None], client.mget([_key(kind, name) for name in names]))
    return {name: text.decode() for name, text in zip(names, texts, strict=True) if text is not None}
