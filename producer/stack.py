"""Uses the local stack, and brings it up where none runs; where broker.url names a Redis, that one must answer."""

import subprocess
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from producer.formatting import counted, machine_command
from producer.local_packages import require_packages
from producer.other_stack import make_way, require_fit
from settings import Settings
from settings.child_commands import child_command, child_environment
from settings.errors import DarkroomError, ServiceMissing
from tasks.broker import redis_client, require
from tasks.registry import STOP_NOW, Worker, faults, foreign_workers, ready, workers
from tasks.stack.locks import FileLock, acquire, is_held
from tasks.stack.paths import StackPaths, error_line, rotate, stack_paths
from tasks.stack.record import read_record

ANSWER_SECONDS = 3.0
STARTUP_SECONDS = 180.0
WORK_SECONDS = 10.0
STEP_SECONDS = 0.02
MOST_KILLED = 3
STORAGE = "storage"


class Stack:
    """What carries the work of this command; get one by `attached`.

    `is_local` is False where broker.url names a Redis: then its workers do the work, and a command starts none.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_local = settings.broker.url == "embedded"
        self.local: StackPaths = stack_paths(settings)
        self.log = self.local.logs / "stack.log"
        # What a search has learned of the collection, and when.
        self.known: tuple[float, dict[str, Any]] | None = None
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.RLock()  # several threads may find at the same time that it has ended
        self._log_start = 0
        # No retries: whoever waits for the stack also watches whether it still lives.
        self._redis = redis_client(settings, ANSWER_SECONDS)

    @property
    def is_empty(self) -> bool:
        """True while the embedded catalog of this data directory has no such collection yet."""
        qdrant = self._settings.qdrant
        return qdrant.url == "embedded" and not (self.local.catalog / qdrant.collection).exists()

    def faults(self) -> dict[str, str]:
        """What keeps parts of the stack from working, by part; a stack that has ended is a fault of all its workers."""
        try:
            return faults(self._redis)
        except redis.RedisError:
            if not self.is_local or is_held(self.local.stack_lock):
                return {}
            return dict.fromkeys((STORAGE, "gpu"), self._how_it_ended())

    def has_worker(self, who: str, but: Container[str]) -> bool:
        """True when a worker of this kind said that it is ready, other than those in `but`."""
        try:
            return any(name.startswith(who) and name not in but for name in ready(self._redis))
        except redis.RedisError:
            return False

    def lives(self, who: str) -> bool:
        """True when a worker of this kind lives, also while it loads its models, and while Redis does not answer."""
        try:
            return any(worker.name.startswith(who) for worker in workers(self._redis).values())
        except redis.RedisError:
            return True

    def workers(self) -> list[Worker]:
        """The workers of this collection that live; none while Redis is away."""
        try:
            return list(workers(self._redis).values())
        except redis.RedisError:
            return []

    def foreign_workers(self) -> list[str]:
        """A phrase for each worker that lives for another collection or is of another release, such as "gpu0@a ..."."""
        try:
            return foreign_workers(self._redis)
        except redis.RedisError:
            return []

    def leave_now(self) -> None:
        """Ask a stack that this command has started to end with its last user, without waiting for another one."""
        if self.is_local and self.started:
            try:
                self._redis.set(STOP_NOW, 1)
            except redis.RedisError:
                if self._process:  # it has not come up, or cannot finish anything
                    self._process.terminate()

    @property
    def started(self) -> bool:
        """True when this command has started the stack that runs."""
        return self._process is not None and self._process.poll() is None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Have pictures worked on inside: a stack that comes and goes does no such work for other commands."""
        if not self.is_local:
            yield
            return
        lock = acquire(self.local.work_lock, shared=True, wait=WORK_SECONDS)
        if lock is None:
            raise ServiceMissing(f"{self.local.work_lock} is locked by another program: end that one.")
        with lock:
            yield

    def require_broker(self) -> None:
        """Raise ServiceMissing unless the Redis that broker.url names answers; WrongUse for a missing certificate."""
        require(self._settings, self._redis)

    def come_up(self) -> None:
        """Wait until the stack is ready; start it if none runs. Raises ServiceMissing with the reason if that fails."""
        with self._starting:
            self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        killed = 0
        while not self._is_ready():
            if self._process and (code := self._process.poll()) is not None:
                killed += code < 0
                # It may have lost a race against the stack that another command started at the same moment, and one
                # that was killed has nothing against being started again.
                if not is_held(self.local.stack_lock) and (code >= 0 or killed > MOST_KILLED):
                    raise ServiceMissing(self._how_it_ended())
                self._process = None
            if self._process is None and not is_held(self.local.stack_lock):
                self._spawn()
            if time.monotonic() > deadline:
                raise ServiceMissing(
                    f"The local stack is not ready after {STARTUP_SECONDS:g} s: see {self.local.logs}."
                )
            time.sleep(STEP_SECONDS)

    def has_ended(self) -> bool:
        """True when no stack is up although this command still uses it: it was killed, or stopped by somebody."""
        return self.is_local and not is_held(self.local.stack_lock)

    def restart(self) -> None:
        """Start a stack in the place of one that has ended; it finds the queues as they were left."""
        with self._starting:
            self._process = None if self.has_ended() else self._process
            self.come_up()

    def close(self) -> None:
        """Leave the stack to itself: it goes down when it has waited for another user, or stays.

        Where it has ended before its last user, that one removes what it could not.
        """
        self._redis.close()
        if self.local.users_lock.exists() and not is_held(self.local.stack_lock):
            lock = acquire(self.local.users_lock)
            if lock:
                lock.remove()
                with suppress(OSError):  # a newcomer may have files in it already
                    self.local.runtime.rmdir()

    def _is_ready(self) -> bool:
        """True when this very stack, not one before it, is up, and its Redis answers."""
        record = read_record(self.local)
        if record is None:
            return False
        require_fit(record, self.local, self._settings)
        try:
            self._redis.delete(STOP_NOW)  # who uses it has nothing against its going on
        except redis.RedisError:
            return False
        return True

    def _spawn(self) -> None:
        require_packages(self._settings)
        self._log_start = rotate(self.log)
        with self.log.open("ab") as log:
            # In a session of its own, so that Ctrl-C in this terminal does not stop the stack before this command has.
            self._process = subprocess.Popen(
                child_command("workers", "serve"),
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _how_it_ended(self) -> str:
        return error_line(self.log, self._log_start) or f"The local stack has ended: see {self.log}."


@contextmanager
def attached(
    settings: Settings, say: Callable[[str], None] = lambda sentence: None, of_stack: bool = False
) -> Iterator[Stack]:
    """Use the stack for a while: it stays up until the last of its users has left, and `stack.linger_seconds` more.

    `say` is told so by the command that has started it; a process `of_stack` does not keep it up. Raises ServiceMissing
    when Redis does not answer, the data directory cannot be used or belongs to another user, or the stack cannot start;
    WrongUse where one runs that cannot serve these settings.
    """
    stack = Stack(settings)
    if not stack.is_local:
        stack.require_broker()
        yield stack
        return
    stack.local.create()
    make_way(stack.local, settings)
    users = _users_lock(stack.local)
    try:
        users.refresh()
        stack.come_up()
        if of_stack:
            users.release()
        yield stack
        if stack.started and settings.stack.linger_seconds:
            say(_lingers(settings.stack.linger_seconds))
    except (DarkroomError, KeyboardInterrupt):
        stack.leave_now()  # what is refused, or not waited for, leaves nothing behind
        raise
    finally:
        if users.fd >= 0:
            users.refresh()
        users.release()
        stack.close()


def _lingers(seconds: int) -> str:
    time_in_words = counted(round(seconds / 60), "minute") if seconds >= 60 else counted(seconds, "second")
    stop = machine_command("down")
    return f"The stack stays up for {time_in_words}, so that the next command is quick (stop it: {stop})."


def _users_lock(local: StackPaths) -> FileLock:
    # A stack on its way out holds it until it is gone; then a new one can start.
    lock = acquire(local.users_lock, shared=True, wait=STARTUP_SECONDS)
    if lock is None:
        raise ServiceMissing(
            f"The stack that was stopping is still there after {STARTUP_SECONDS:g} s: see {local.logs / 'stack.log'}."
        )
    return lock
