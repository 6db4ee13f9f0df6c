"""The answers to questions: tasks of a worker whose result somebody waits for (tasks/rpc/question.py asks)."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgpack
from celery import Task, current_task
from celery.exceptions import Ignore

from settings.errors import DarkroomError, WrongUse
from tasks.app import app
from tasks.messages import Target, check_schema
from tasks.queues import PREFIX
from tasks.registry import PROCESS, Worker, lives, this_process
from tasks.rpc.question import KINDS, beside

log = logging.getLogger("darkroom.rpc")

F = TypeVar("F", bound=Callable[..., Any])
# Longer than anybody waits for an answer.
REMEMBERED_SECONDS = 600
MAX_ERROR_CHARACTERS = 300

_this_worker = this_process("worker")


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
            if wire.pop("beside", False):
                wire |= _beside(self.request.id)
            return reply(lambda: answer(**_arguments(wire)))

        return answer

    return decorate


def _arguments(wire: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a question; raises WrongUse for one that is for a worker with other things."""
    check_schema(wire)
    if reason := Target.from_wire(wire["target"]).mismatch(_this_worker.node, _this_worker.has):
        raise WrongUse(reason)
    return {name: value for name, value in wire.items() if name not in ("schema", "target")}


def _beside(question: str) -> dict[str, Any]:
    """The arguments that lie beside the message of a question, taken away from there.

    Raises Ignore where they are gone: another delivery has taken them, or whoever asks asks again.
    """
    packed = cast(bytes | None, app.backend.client.getdel(beside(question)))
    if packed is None:
        raise Ignore
    arguments: dict[str, Any] = msgpack.unpackb(packed, raw=False, strict_map_key=False)
    return arguments


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


def first_found(number: int) -> int:
    """What there was when the question that is being answered was begun: `number`, or what the first worker has noted.

    For an answer that counts what it is about to remove: a worker that died in the middle had removed a part.
    """
    if not current_task:
        return number
    client, key = app.backend.client, f"{PREFIX}:asked:{current_task.request.id}:found"
    client.set(key, number, nx=True, ex=REMEMBERED_SECONDS)
    return int(cast(bytes | None, client.get(key)) or number)


def reply(answer: Callable[[], Any]) -> dict[str, Any]:
    """The result of a question in a worker; an error is sent to the caller as a sentence, not as a traceback."""
    try:
        return {"value": answer()}
    except DarkroomError as error:
        kind = next((name for name, cls in KINDS.items() if isinstance(error, cls)), "DarkroomError")
        return {"error": str(error), "kind": kind}
    except Exception as error:  # whatever a library raises, which the caller may lack; a traceback helps nobody there
        log.exception("a question could not be answered")
        name = _this_worker.node
        said = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_ERROR_CHARACTERS]
        return {
            "error": f"The worker {name} could not answer ({said}): see its log, {name.partition('@')[0]}.log in logs "
            "below its data.dir.",
            "kind": "ServiceMissing",
        }
