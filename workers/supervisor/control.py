"""The stack from outside: brought up in the background, taken down, and rid of what nobody wants done."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from settings import Settings
from settings.child_commands import child_command, child_environment
from settings.errors import ServiceMissing, WrongUse
from tasks.broker import redis_client
from tasks.registry import faults, ready
from tasks.stack.locks import acquire, is_held, is_used
from tasks.stack.paths import StackPaths, error_line, rotate
from tasks.stack.record import StackRecord, end_if_idle, end_stack, read_record
from workers.supervisor.child import Child
from workers.supervisor.left_over import discard
from workers.supervisor.processes import end_orphans
from workers.supervisor.redis_server import redis_spec

UP_SECONDS = 180.0
REDIS_SECONDS = 30.0
STEP_SECONDS = 0.05
ANSWER_SECONDS = 3.0
T = TypeVar("T")


def make_room(local: StackPaths) -> None:
    """End a stack that only waits for its next user, so that one which stays can come up; any other is left alone."""
    record = read_record(local)
    if record is not None and not record.stays:
        end_if_idle(local, record)


def up_in_background(settings: Settings, local: StackPaths, arguments: tuple[str, ...]) -> StackRecord:
    """Start `up` as a process of its own and wait until it can be used; raises ServiceMissing with its own sentence."""
    local.create()
    log = local.logs / "stack.log"
    start = rotate(log)
    with log.open("ab") as output:
        process = subprocess.Popen(
            child_command("workers", "up", *arguments),
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    client = redis_client(settings, ANSWER_SECONDS)

    def is_up() -> StackRecord | None:
        if process.poll() is not None:
            raise ServiceMissing(error_line(log, start) or f"The stack has ended: see {log}.")
        record = read_record(local)
        if record is None or record.pid != process.pid:
            return None
        found = faults(client)
        if sentence := next((found[name] for name in found if name.startswith("storage")), None):
            process.terminate()
            raise ServiceMissing(sentence)
        return record if any(name.startswith("storage") for name in ready(client)) else None

    return _within(UP_SECONDS, is_up, f"The stack is not up after {UP_SECONDS:g} s: see {log}.")


def take_down(settings: Settings, local: StackPaths, at_once: bool, drop: bool) -> str:
    """End the stack of a data directory, with `drop` without the files that wait; what was done, in a sentence.

    Raises WrongUse while a command uses it, unless `at_once`.
    """
    if drop and settings.broker.url != "embedded":
        raise WrongUse("--discard is for the private Redis of a stack: in a Redis of others, their files wait as well.")
    record = read_record(local)
    if record is None:
        dropped = _discard_at_rest(settings, local) if drop else 0
        return f"No stack runs on {local.data}.{_told(dropped, drop)}"
    if not at_once and is_used(local.users_lock) and not is_held(local.users_lock):
        raise WrongUse(
            f"A command uses the stack (process {record.pid}), such as an ingest: end that one first, or take the "
            "stack down all the same with --now."
        )
    dropped = discard(redis_client(settings, ANSWER_SECONDS)) if drop else 0
    end_stack(local, record, at_once)
    return f"The stack on {local.data} is down.{_told(dropped, drop)}"


def _told(dropped: int, drop: bool) -> str:
    return f" {dropped:,} messages that waited were dropped." if drop else ""


def _discard_at_rest(settings: Settings, local: StackPaths) -> int:
    """Start the private Redis alone, drop what waits in it, and end it again."""
    local.create()
    lock = acquire(local.stack_lock)
    if lock is None:
        raise ServiceMissing(f"The stack on {local.data} is coming up or going down: try again in a moment.")
    with lock:
        end_orphans(local.pids)
        server = Child(redis_spec(local), local)
        server.wanted = True
        client = redis_client(settings, ANSWER_SECONDS)

        def answers() -> bool:
            if server.tend() is not None:
                raise ServiceMissing(f"Redis does not start: {server.last_words} (its log is {server.log}).")
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

        try:
            _within(REDIS_SECONDS, answers, f"Redis does not answer: see {server.log}.")
            return discard(client)
        finally:
            server.ask_to_stop()
            while not server.has_stopped():
                time.sleep(STEP_SECONDS)
            local.socket.unlink(missing_ok=True)
            lock.remove()


def _within(seconds: float, question: Callable[[], T | None], sentence: str) -> T:
    """The first true answer to a question; raises ServiceMissing with the sentence after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := question():
                return answer
        except redis.RedisError:
            pass
        if time.monotonic() > deadline:
            raise ServiceMissing(sentence)
        time.sleep(STEP_SECONDS)
