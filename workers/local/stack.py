"""The local stack of one data directory: who starts when, who ends when, and that nothing is left behind."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from settings import Settings
from tasks.errors import ServiceMissing
from tasks.local import Local
from tasks.locks import FileLock, note_in, take
from workers.local.broker import Broker, Glance
from workers.local.child import Child
from workers.local.child_spec import ChildSpec
from workers.local.orphans import end_orphans
from workers.local.supervisor import Supervisor, say
from workers.local.usage import Usage

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

    def __init__(self, settings: Settings, local: Local, spec: StackSpec, *, while_used: bool) -> None:
        """With `while_used` it ends after its last user, and starts GPU workers only when work waits for them."""
        self._local = local
        self._broker = Broker(settings, local.runtime.name)
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
        lock = take(self._local.stack_lock, wait=LOCK_SECONDS)
        if lock is None:
            raise ServiceMissing(
                f"The data directory {self._local.data} is in use by another stack (process "
                f"{note_in(self._local.stack_lock)}): stop that one or set data.dir to another folder."
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
                lambda glance: self._is_visible(lock) and self._step(glance), self._close
            )
        finally:
            self._clear(lock)

    def _is_visible(self, lock: FileLock) -> bool:
        """Always true; raises ServiceMissing when somebody cleaned away the lock by which others find this stack."""
        if not lock.refresh():
            raise ServiceMissing(f"The folder {self._local.runtime} was removed while the stack ran: start it again.")
        return True

    def _step(self, glance: Glance | None) -> bool:
        if not self._came_up and self._redis and self._redis.deaths:
            raise ServiceMissing(f"Redis does not start: {self._redis.last_words} (its log is {self._redis.log}).")
        if self._redis and self._redis.pid is None:
            # Somebody may have removed its folder to be rid of its data, and without one it does not start.
            self._local.redis_data.mkdir(parents=True, exist_ok=True)
        if glance and not self._came_up:
            self._came_up = self._sign_in()
        elif glance and glance.stack != os.getpid():
            say("Redis has lost its data; signing in again.")
            self._came_up = self._sign_in()
        if self._came_up:
            for child in (self._storage, *self._front):
                child.wanted = True
        if glance and self._came_up:
            if not self._usage or glance.gpu_wanted:
                for gpu in self._gpus:
                    gpu.wanted = True
            self._tell(glance)
        return self._usage is None or not self._usage.over(glance, self._came_up)

    def _sign_in(self) -> bool:
        return self._broker.open_stack(os.getpid(), self._names, own=self._redis is not None)

    def _tell(self, glance: Glance) -> None:
        if not self._told and self._storage.settled(glance.ready.get(self._storage.name)):
            self._told = True
            say(f"The stack is up on {self._local.data}.")

    def _close(self) -> None:
        if self._came_up:
            self._broker.close_stack(self._names, own=self._redis is not None)

    @property
    def _names(self) -> list[str]:
        return [child.name for child in (self._storage, *self._gpus, *self._front)]

    def _clear(self, lock: FileLock) -> None:
        if self._redis:
            self._local.socket.unlink(missing_ok=True)
        # Only while nobody holds it: a user of this stack who is still there must stay visible to the next one.
        users = (self._usage and self._usage.lock) or take(self._local.users_lock)
        lock.remove()
        if users:
            users.remove()
        with suppress(OSError):  # a user who is still there, or one who has just come, has files in it
            self._local.runtime.rmdir()
