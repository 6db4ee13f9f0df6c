"""The local stack of one data directory: who starts when, when all may end, and that nothing is left behind."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from settings import Settings
from settings.child_commands import DEVICE_KIND
from settings.errors import ServiceMissing
from tasks.stack.locks import FileLock, acquire, read_note
from tasks.stack.paths import StackPaths
from tasks.stack.record import write_record
from workers.inference.accelerators import CPU
from workers.logs import cut
from workers.supervisor.broker_view import BrokerState, BrokerView
from workers.supervisor.child import Child
from workers.supervisor.processes import ChildSpec, end_orphans
from workers.supervisor.supervisor import Supervisor, say
from workers.supervisor.usage import Usage

# Others look at the lock for an instant to see whether a stack is up; that must not keep one from starting.
LOCK_SECONDS = 1.0
# One that was killed while it started is started again; what cannot start ends a second time in the same way.
REDIS_STARTS = 2


@dataclass(frozen=True)
class StackSpec:
    """The children of a stack: no `redis` where broker.url names one; `front` is what serves others than its users."""

    redis: ChildSpec | None
    storage: ChildSpec
    gpus: Sequence[ChildSpec]
    front: Sequence[ChildSpec] = ()


class LocalStack:
    """A supervisor with the rules of the stack; `run` is its whole life."""

    def __init__(self, settings: Settings, local: StackPaths, spec: StackSpec, *, stays: bool) -> None:
        """One that does not stay ends some time after its last user, and starts workers when messages wait for them."""
        self._settings, self._local = settings, local
        self._broker = BrokerView(settings, local.runtime.name)
        self._redis = Child(spec.redis, local) if spec.redis else None
        self._storage = Child(spec.storage, local)
        self._gpus = [Child(gpu, local) for gpu in spec.gpus]
        self._front = [Child(front, local) for front in spec.front]
        self._usage = None if stays else Usage(local.users_lock, settings.stack.linger_seconds)
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
            end_orphans(self._local.pids)
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
        if not self._came_up and self._redis and self._redis.deaths >= REDIS_STARTS:
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
            for child in self._front:
                child.wanted = True
        if state and self._came_up:
            self._start_what_is_wanted(state)
            self._tell(state)
        return self._usage is None or not self._usage.over(state, self._came_up)

    def _start_what_is_wanted(self, state: BrokerState) -> None:
        # A Redis of others may be asked by anybody, and has workers of others.
        is_private = self._usage is not None and self._redis is not None
        files = state.files and not (is_private and self._set_aside())
        if not is_private or state.storage_wanted:
            self._storage.wanted = True
        if self._usage is None or files or state.embed:
            for gpu in self._gpus:
                gpu.wanted = True

    def _set_aside(self, held: bool = False) -> bool:
        """Keep files from the workers while no command has any worked on; False while one does."""
        lock = acquire(self._local.work_lock)
        if lock is None:
            return False
        with lock:  # a command that comes now waits, so none of its own files are taken
            if files := self._broker.set_aside(held):
                say(f"{files:,} messages of an ingest that is gone lie aside: `darkroom resume` goes on.")
        return True

    def _sign_in(self) -> bool:
        if not self._broker.open_stack(os.getpid(), self._names, own=self._redis is not None):
            return False
        if self._usage is None:
            self._broker.bring_back()
        elif self._redis:
            self._set_aside(held=True)
        on_cpu = all(gpu.spec.env.get(DEVICE_KIND, CPU.name) == CPU.name for gpu in self._gpus)
        write_record(self._settings, self._local, stays=self._usage is None, on_cpu=on_cpu)
        return True

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
        work = acquire(self._local.work_lock)
        if lock.refresh():  # else the record may be that of another stack
            self._local.record.unlink(missing_ok=True)
        lock.remove()
        for free in (work, users):
            if free:
                free.remove()
        with suppress(OSError):  # a user who is still there, or one who has just come, has files in it
            self._local.runtime.rmdir()
