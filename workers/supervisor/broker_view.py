"""What the supervisor asks of Redis and tells it, without ever waiting long for an answer."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import redis

from settings import Settings
from settings.errors import ServiceMissing
from tasks.broker import redis_client, require
from tasks.queues import EMBED, FILES, FILES_LATER, POINTS, QUERIES, UNACKED
from tasks.registry import (
    FAULTS,
    STOP_NOW,
    WORKERS,
    clear_fault,
    living,
    report_fault,
    sign_off,
    stack_key,
)
from workers.supervisor import left_over

ANSWER_SECONDS = 3.0
NO_STACK = (
    "No local stack is up, which these workers could join: start it by `python -m workers up`, "
    "or set broker.url to the Redis of a cluster."
)


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
    queries: int = 0

    @property
    def gpu_wanted(self) -> bool:
        """True when a message waits that only a GPU worker can take."""
        return self.files + self.embed > 0

    @property
    def storage_wanted(self) -> bool:
        """True when a message waits that only a storage worker can take, or a GPU worker that will send it some."""
        return self.queries + self.points > 0 or self.gpu_wanted

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
        try:
            require(self._settings, self._redis)
        except ServiceMissing as error:
            if self._settings.broker.url == "embedded":
                raise ServiceMissing(NO_STACK) from error
            raise

    def state(self) -> BrokerState | None:
        """The state of Redis, or None while it does not answer or still loads its data."""
        pipe = self._redis.pipeline(transaction=False)
        for queue in (FILES, FILES_LATER, EMBED, POINTS, QUERIES):
            pipe.llen(queue)
        pipe.hlen(UNACKED)
        pipe.exists(STOP_NOW)
        pipe.get(self._stack)
        pipe.hgetall(WORKERS)
        pipe.time()
        try:
            files, later, embed, points, queries, unacked, stop_now, stack, entries, now = pipe.execute()
        except redis.RedisError:
            return None
        pids = {worker.name: worker.pid for worker in living(entries, now).values() if worker.ready}
        signed_in = int(stack) if stack else None
        return BrokerState(files + later, embed, points, unacked, bool(stop_now), pids, signed_in, queries)

    def set_aside(self, held: bool = False) -> int:
        """Keep what waits for GPU workers from them, and with `held` what dead workers held; how many messages."""
        try:
            return left_over.set_aside(self._redis) + (left_over.set_aside_held(self._redis) if held else 0)
        except redis.RedisError:
            return 0

    def bring_back(self) -> None:
        """Let GPU workers have what was set aside."""
        with suppress(redis.RedisError):
            left_over.bring_back(self._redis)

    def open_stack(self, pid: int, names: Sequence[str], own: bool) -> bool:
        """Forget what an earlier stack said and sign in as this one; False if Redis did not take it.

        In a Redis of its `own` everything said is out of date; in a shared one only what was said under `names`, and
        nobody looks there for a stack.
        """
        return self._say(names, own, pid)

    def close_stack(self, names: Sequence[str], own: bool) -> bool:
        """Sign out, so that nobody takes a stack that is about to end for one that is ready."""
        return self._say(names, own, None)

    def withdraw(self, names: Iterable[str]) -> bool:
        """Say that these children, which announced themselves earlier, have stopped; False if Redis did not take it."""
        try:
            for name in names:
                sign_off(self._redis, name)
        except redis.RedisError:
            return False
        return True

    def report(self, faults: dict[str, str | None]) -> bool:
        """Note the faults by name, None for a fault that is over; False if Redis did not take them."""
        try:
            for name, fault in faults.items():
                if fault is None:
                    clear_fault(self._redis, name)
                else:
                    report_fault(self._redis, name, fault)
        except redis.RedisError:
            return False
        return True

    def _say(self, names: Sequence[str], own: bool, pid: int | None) -> bool:
        if not own:
            return self.withdraw(names) and self.report(dict.fromkeys(names))
        pipe = self._redis.pipeline()
        pipe.delete(WORKERS, FAULTS, STOP_NOW, self._stack)
        if pid is not None:
            pipe.set(self._stack, pid)
        try:
            pipe.execute()
        except redis.RedisError:
            return False
        return True
