"""Lua scripts, run whatever becomes of the Redis that knows them."""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import redis
from redis.exceptions import NoScriptError


def run_script(client: redis.Redis, script: str, keys: Sequence[Any] = (), args: Sequence[Any] = ()) -> Any:
    """The answer of a script; it is sent whole only where Redis does not know it yet.

    redis-py's own scripts are loaded first and then called by their hash: a Redis that starts anew in between knows
    nothing of it again, and that is an error.
    """
    rest = (len(keys), *keys, *args)
    try:
        return client.execute_command("EVALSHA", _hash(script), *rest)
    except NoScriptError:
        return client.execute_command("EVAL", script, *rest)


@cache
def _hash(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
