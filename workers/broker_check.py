"""What `python -m workers check` says of Redis: how full it is, and whether somebody else uses its database."""

from typing import Any, cast

import redis

from tasks.queues import FILES, INGEST, QUEUES

# kombu's own names for messages in the hands of workers, and the default queue of Celery: Darkroom uses neither.
STRANGERS = ("unacked", "unacked_index", "celery")
BINDING = "_kombu.binding."
NEARLY_FULL = 0.8
MEGABYTE = 1e6


def memory(facts: dict[str, Any]) -> tuple[bool, str]:
    """Whether the memory of Redis is nearly used up, and how much is used, by the facts that it tells of itself."""
    used, most = int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0))
    if not most:
        return False, f"{used / MEGABYTE:,.0f} MB used, no maxmemory"
    return used > NEARLY_FULL * most, f"{used / MEGABYTE:,.0f} MB of {most / MEGABYTE:,.0f} MB used"


def strangers(client: redis.Redis) -> set[str]:
    """The names of queues and keys by which another Celery application is known to use this database."""
    bindings = (cast(bytes, key).decode(errors="replace") for key in client.scan_iter(f"{BINDING}*", count=1000))
    exchanges = {name.removeprefix(BINDING) for name in bindings}
    return {name for name in exchanges if not _is_ours(name)} | {name for name in STRANGERS if client.exists(name)}


def _is_ours(exchange: str) -> bool:
    return exchange in (*QUEUES, INGEST) or exchange.startswith(f"{FILES}.") or "darkroom." in exchange
