"""The local stack of one data directory: who starts when, when all may end, and that nothing is left behind."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from settings.errors import ServiceMissing
from tasks.locks import FileLock, acquire, read_note
from tasks.stack_paths import StackPaths
from workers.logs import cut
from workers.supervisor.broker_view import BrokerState, BrokerView
from workers.supervisor.child import Child
from workers.supervisor.processes import ChildSpec, end_orphans
from workers.supervisor.supervisor import Supervisor, say

# Others look at the lock for an instant to see whether a stack is up; that must not keep one from starting.
LOCK_SECONDS = 1.0


@dataclass(frozen=True)
class StackSpec:
    """The children of a stack: no `redis` where broker.url names one; `front` is what serves others than its users."""

    redis: ChildSpec | None
    storage: ChildSpec
    gpus: Sequence[ChildSpec]
    front: Sequence[ChildSpec] = ()


class LocalStack:
    """A supervisor with the rules of the stack; `run` is its whole life."""

    def __init__(self, settings: Settings, local: StackPaths, spec: StackSpec, *, while_used: bool) -> None:
        """With `while_used` it ends after its last user, and starts GPU workers only when work waits for them."""
        self._local = local
        self._broker = BrokerView(settings, local.runtime.name)
        self._redis = Child(spec.redis, local) if spec.redis else None
        self._storage = Child(spec.storage, local)
        self._gpus = [Child(gpu, local) for gpu in spec.gpus]
        self._front = [Child(front, local) for front in spec.front]
        self._usage = Usage(local.users_lock) if while_used else None
        self._came_up = self._told = False

    def run(self) -> None:
        """Keep the stack up until a signal, or until it is not used any more; leaves no process, socket or lock.

        Raises ServiceMissing when the data directory cannot be written or is in use, or Redis does not start.
        """
        self._local.create()
        lock = acquire(self._local.stack_lock, wait=LOCK_SECONDS)
        if lock is None:
            raise ServiceMissing(
                f"The data directory {self._local.data} is in use by another stack (process "
                f"{read_note(self._local.stack_lock)}): stop that one or set data.dir to another folder."
            )
        lock.write(str(os.getpid()))
        try:
            end_orphans(self._local.runtime)
            if self._redis:
                self._redis.wanted = True
            else:
                self._broker.require()
            stages = [[self._redis] if self._redis else [], [self._storage], [*self._gpus, *self._front]]
            Supervisor(stages, self._broker).run(
                lambda state: self._is_visible(lock) and self._step(state), self._close
            )
        finally:
            self._clear(lock)

    def _is_visible(self, lock: FileLock) -> bool:
        """Always true; raises ServiceMissing when somebody removed the files by which others find this stack."""
        if not lock.refresh() or not self._local.runtime.is_dir():
            raise ServiceMissing(
                f"The folder {self._local.runtime} or {lock.path} was removed while the stack ran: start it again."
            )
        return True

    def _step(self, state: BrokerState | None) -> bool:
        cut(self._local.logs / "stack.log")  # what this supervisor itself says, if a producer has started it
        if not self._came_up and self._redis and self._redis.deaths:
            raise ServiceMissing(f"Redis does not start: {self._redis.last_words} (its log is {self._redis.log}).")
        if self._redis and self._redis.pid is None:
            # Somebody may have removed its folder to be rid of its data, and without one it does not start.
            self._local.redis_data.mkdir(parents=True, exist_ok=True)
        if state and not self._came_up:
            self._came_up = self._sign_in()
        elif state and self._redis and state.stack != os.getpid():
            say("Redis has lost its data; signing in again.")
            self._came_up = self._sign_in()
        if self._came_up:
            for child in (self._storage, *self._front):
                child.wanted = True
        if state and self._came_up:
            if not self._usage or state.gpu_wanted:
                for gpu in self._gpus:
                    gpu.wanted = True
            self._tell(state)
        return self._usage is None or not self._usage.over(state, self._came_up)

    def _sign_in(self) -> bool:
        return self._broker.open_stack(os.getpid(), self._names, own=self._redis is not None)

    def _tell(self, state: BrokerState) -> None:
        if not self._told and self._storage.settled(state.ready.get(self._storage.spec.full_name)):
            self._told = True
            say(f"The stack is up on {self._local.data}.")

    def _close(self) -> None:
        if self._came_up:
            self._broker.close_stack(self._names, own=self._redis is not None)

    @property
    def _names(self) -> list[str]:
        return [child.spec.full_name for child in (self._storage, *self._gpus, *self._front)]

    def _clear(self, lock: FileLock) -> None:
        if self._redis:
            self._local.socket.unlink(missing_ok=True)
        # Only while nobody holds it: a user of this stack who is still there must stay visible to the next one.
        users = (self._usage and self._usage.lock) or acquire(self._local.users_lock)
        lock.remove()
        if users:
            users.remove()
        with suppress(OSError):  # a user who is still there, or one who has just come, has files in it
            self._local.runtime.rmdir()


CHECK_SECONDS = 0.2
STUCK_SECONDS = 30.0


class Usage:
    """Watches the lock that every user of the stack holds shared."""

    def __init__(self, users_lock: Path) -> None:
        self.lock: FileLock | None = None
        self._path = users_lock
        self._next_check = 0.0
        self._seen: tuple[int, int, int] | None = None
        self._seen_at = time.monotonic()

    def over(self, state: BrokerState | None, came_up: bool) -> bool:
        """True when the stack may end; then `lock` is held exclusively, and newcomers wait for it.

        A stack that never `came_up` has no work to finish.
        """
        now = time.monotonic()
        if now < self._next_check:
            return False
        self._next_check = now + CHECK_SECONDS
        lock = acquire(self._path)
        if lock is None:
            self._seen_at = now
            return False
        if came_up and not self._finished(state, now):
            lock.release()
            return False
        self.lock = lock
        return True

    def _finished(self, state: BrokerState | None, now: float) -> bool:
        if state and (state.drained or state.stop_now):
            return True
        seen = (state.files, state.points, state.unacked) if state else None
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        return now - self._seen_at >= STUCK_SECONDS
