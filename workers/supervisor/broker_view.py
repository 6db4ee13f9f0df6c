"""What the supervisor asks of Redis and tells it, without ever waiting long for an answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from settings import Settings
from tasks.broker import redis_client, require
from tasks.queues import EMBED, FILES, POINTS, UNACKED
from tasks.registry import FAULTS, READY, STOP_NOW, stack_key

ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class BrokerState:
    """The state of Redis at one moment: messages waiting and unacked, and who announced itself as ready.

    `stack` is the process id of the supervisor that signed in.
    """

    files: int
    embed: int
    points: int
    unacked: int
    stop_now: bool
    ready: dict[str, int]
    stack: int | None = None

    @property
    def gpu_wanted(self) -> bool:
        """True when a message waits that only a GPU worker can take."""
        return self.files + self.embed > 0

    @property
    def drained(self) -> bool:
        """True when no work is left to do or to acknowledge."""
        return self.files + self.points + self.unacked == 0


class BrokerView:
    """The Redis of a stack or of a cluster."""

    def __init__(self, settings: Settings, stack: str) -> None:
        """`stack` tells this stack from others that use the same Redis."""
        self._settings = settings
        self._stack = stack_key(stack)
        # No retries: the supervisor asks again anyway, and must look after its children meanwhile.
        self._redis = redis_client(settings, ANSWER_SECONDS)

    def require(self) -> None:
        """Raise ServiceMissing unless Redis answers, WrongUse where a file of broker.ca, cert or key is missing."""
        require(self._settings, self._redis)

    def state(self) -> BrokerState | None:
        """The state of Redis, or None while it does not answer or still loads its data."""
        pipe = self._redis.pipeline(transaction=False)
        for queue in (FILES, EMBED, POINTS):
            pipe.llen(queue)
        pipe.hlen(UNACKED)
        pipe.exists(STOP_NOW)
        pipe.get(self._stack)
        pipe.hgetall(READY)
        try:
            files, embed, points, unacked, stop_now, stack, ready = pipe.execute()
        except redis.RedisError:
            return None
        pids = {name.decode(): int(pid) for name, pid in ready.items()}
        return BrokerState(files, embed, points, unacked, bool(stop_now), pids, int(stack) if stack else None)

    def open_stack(self, pid: int, names: Sequence[str], own: bool) -> bool:
        """Forget what an earlier stack said and sign in as this one; False if Redis did not take it.

        In a Redis of its `own` everything said is out of date; in a shared one only what was said under `names`.
        """
        return self._say(names, own, pid)

    def close_stack(self, names: Sequence[str], own: bool) -> bool:
        """Sign out, so that nobody takes a stack that is about to end for one that is ready."""
        return self._say(names, own, None)

    def withdraw(self, names: Iterable[str]) -> None:
        """Say that these children, which announced themselves earlier, are not ready any more."""
        pipe = self._redis.pipeline()
        pipe.hdel(READY, *names)
        self._execute(pipe)

    def announce(self, pids: dict[str, int]) -> None:
        """Say for these children, which announced themselves to a Redis that has lost its data, that they are ready."""
        pipe = self._redis.pipeline()
        pipe.hset(READY, mapping=dict[Any, Any](pids))
        self._execute(pipe)

    def report(self, faults: dict[str, str | None]) -> bool:
        """Note the faults by name, None for a fault that is over; False if Redis did not take them."""
        pipe = self._redis.pipeline()
        for name, fault in faults.items():
            if fault is None:
                pipe.hdel(FAULTS, name)
            else:
                pipe.hset(FAULTS, name, fault)
        return self._execute(pipe)

    def _say(self, names: Sequence[str], own: bool, pid: int | None) -> bool:
        pipe = self._redis.pipeline()
        if own:
            pipe.delete(READY, FAULTS, STOP_NOW)
        elif names:
            pipe.hdel(READY, *names)
            pipe.hdel(FAULTS, *names)
        if pid is None:
            pipe.delete(self._stack)
        else:
            pipe.set(self._stack, pid)
        return self._execute(pipe)

    @staticmethod
    def _execute(pipe: redis.client.Pipeline) -> bool:
        try:
            pipe.execute()
        except redis.RedisError:
            return False
        return True
