"""Questions to the workers: tasks whose result the caller waits for.

A question says what it is for, like every message: a worker that keeps another collection, or has another model where
that matters, refuses it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

from celery import Task
from celery.backends.asynchronous import E_RETRY_LIMIT_EXCEEDED
from celery.exceptions import Ignore
from celery.exceptions import TimeoutError as CeleryTimeout
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app
from tasks.messages import SCHEMA, Target, check_schema
from tasks.queues import COLLECTION_NAME, PREFIX, ROUTES
from tasks.registry import PROCESS, Worker, lives, this_process

log = logging.getLogger("darkroom.rpc")

F = TypeVar("F", bound=Callable[..., Any])
_KINDS: dict[str, type[DarkroomError]] = {"WrongUse": WrongUse, "ServiceMissing": ServiceMissing}

# Flower shows longer lists and bytes by their length, and so many characters of all arguments, as Celery does.
MAX_SHOWN_ITEMS = 8
MAX_SHOWN_CHARACTERS = 1024
# Longer than anybody waits for an answer.
REMEMBERED_SECONDS = 600
MAX_ERROR_CHARACTERS = 300

_this_worker = this_process("worker")

# KEYS: a queue; ARGV: the id of a task, 1 to remove it. How many messages about the task wait there.
_WAITING = """
local found = 0
for _, raw in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if string.find(raw, ARGV[1], 1, true) then
    found = found + 1
    if ARGV[2] == '1' then redis.call('LREM', KEYS[1], 1, raw) end
  end
end
return found
"""


def answer_as(worker: Worker) -> None:
    """Say which worker this process is, and so which questions it may answer."""
    global _this_worker
    _this_worker = worker


def this_worker() -> Worker:
    """Which worker this process is."""
    return _this_worker


def answers(task: str, once: bool = False) -> Callable[[F], F]:
    """Make a function the answer to the question `task`; its errors reach the caller as sentences.

    With `once` a question that is asked again is not begun again while the worker lives that has begun it: for what
    takes long, or changes the collection. It is known by its id, which stays the same.
    """

    def decorate(answer: F) -> F:
        @app.task(name=task, bind=True, ignore_result=False, acks_late=False, typing=False)
        def run(self: Task, **wire: Any) -> dict[str, Any]:
            if once and not _is_first(self.request.id):
                raise Ignore
            return reply(lambda: answer(**_arguments(wire)))

        return answer

    return decorate


def _arguments(wire: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a question; raises WrongUse for one that is for a worker with other things."""
    check_schema(wire)
    if reason := Target.from_wire(wire["target"]).mismatch(_this_worker.node, _this_worker.has):
        raise WrongUse(reason)
    return {name: value for name, value in wire.items() if name not in ("schema", "target")}


def _is_first(question: str) -> bool:
    """True unless another delivery of this question is being answered, or was."""
    client, key = app.backend.client, f"{PREFIX}:asked:{question}"
    own = f"{_this_worker.node} {PROCESS}"
    if client.set(key, own, nx=True, ex=REMEMBERED_SECONDS):
        return True
    holder = cast(bytes | None, client.get(key))
    if holder is not None and (holder == own.encode() or lives(client, *holder.decode().split(" "))):
        return False
    client.set(key, own, ex=REMEMBERED_SECONDS)
    return True


def reply(answer: Callable[[], Any]) -> dict[str, Any]:
    """The result of a question in a worker; an error is sent to the caller as a sentence, not as a traceback."""
    try:
        return {"value": answer()}
    except DarkroomError as error:
        kind = next((name for name, cls in _KINDS.items() if isinstance(error, cls)), "DarkroomError")
        return {"error": str(error), "kind": kind}
    except Exception as error:
        # Whatever a library raises: the caller may lack that library, and a traceback helps nobody there.
        log.exception("a question could not be answered")
        name = _this_worker.node
        said = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_ERROR_CHARACTERS]
        return {
            "error": f"The worker {name} could not answer ({said}): see its log, {name.partition('@')[0]}.log in logs "
            "below its data.dir.",
            "kind": "ServiceMissing",
        }


def _shown(arguments: dict[str, Any]) -> str:
    """The arguments as Flower shows them; Celery would format thousands of numbers and then cut the text off."""

    def shortened(value: Any) -> str:
        if isinstance(value, bytes | list) and len(value) > MAX_SHOWN_ITEMS:
            return f"<{len(value):,} {'bytes' if isinstance(value, bytes) else 'items'}>"
        return repr(value)

    return f"{{{', '.join(f'{name}: {shortened(value)}' for name, value in arguments.items())}}}"[:MAX_SHOWN_CHARACTERS]


@contextmanager
def _redis_may_be_away() -> Iterator[None]:
    """Celery raises a RuntimeError when Redis is away; turn it into a RedisError, as everywhere else."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != E_RETRY_LIMIT_EXCEEDED:
            raise
        raise RedisConnectionError("Redis does not answer") from error


class Question:
    """A question that was sent; `wait` returns the answer.

    `target` is what it is for; by default the collection of the settings, with whatever models.
    """

    def __init__(self, task: str, target: Target | None = None, **arguments: Any) -> None:
        self.task = task
        wire = (target or Target(COLLECTION_NAME)).to_wire()
        self._options = {
            "kwargs": {"schema": SCHEMA, "target": wire, **arguments},
            "ignore_result": False,
            "kwargsrepr": _shown(arguments),
        }
        with _redis_may_be_away():
            self._result = app.send_task(task, **self._options)

    def ask_again(self) -> None:
        """Send it again unless it still waits in its queue: its worker may have died. The first answer counts."""
        with _redis_may_be_away():
            if not self._waiting(remove=False):
                app.send_task(self.task, task_id=self._result.id, **self._options)

    def withdraw(self) -> None:
        """Remove it from its queue where it still waits: whoever gives up must not have it done later."""
        self._waiting(remove=True)

    def _waiting(self, remove: bool) -> int:
        queue = ROUTES.get(self.task, {}).get("queue", app.conf.task_default_queue)
        script = app.backend.client.register_script(_WAITING)
        return int(script(keys=[queue], args=[self._result.id, int(remove)]))

    def ready(self) -> bool:
        """True if the answer has come."""
        with _redis_may_be_away():
            return bool(self._result.ready())

    def ask_anew(self) -> None:
        """Ask as another question, after the answer to this one was that it cannot be answered now."""
        with _redis_may_be_away():
            self._result = app.send_task(self.task, **self._options)

    def wait(self, timeout: float) -> Any:
        """The answer, after at most `timeout` seconds.

        Raises the error of the worker, TimeoutError if no worker answered in time, RedisError if Redis is away.
        """
        try:
            # Allowed inside a task, because a question is answered by another worker than the one that asks.
            with _redis_may_be_away():
                reply = self._result.get(timeout=timeout, disable_sync_subtasks=False)
        except CeleryTimeout as error:
            self._result.forget()
            raise TimeoutError(f"no answer to {self.task} in {timeout:g} s") from error
        with suppress(RedisError):  # the answer is complete; its copy in Redis expires
            self._result.forget()
        if "error" in reply:
            raise _KINDS.get(reply["kind"], DarkroomError)(reply["error"])
        return reply["value"]


def ask(task: str, timeout: float, target: Target | None = None, **arguments: Any) -> Any:
    """Ask and wait: see `Question`."""
    return Question(task, target, **arguments).wait(timeout)
