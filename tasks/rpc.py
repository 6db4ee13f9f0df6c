"""Questions to the workers: tasks whose result the caller waits for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celery.backends.asynchronous import E_RETRY_LIMIT_EXCEEDED
from celery.exceptions import TimeoutError as CeleryTimeout
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app

_KINDS: dict[str, type[DarkroomError]] = {"WrongUse": WrongUse, "ServiceMissing": ServiceMissing}

# Flower shows longer lists and bytes by their length, and so many characters of all arguments, as Celery does.
MAX_SHOWN_ITEMS = 8
MAX_SHOWN_CHARACTERS = 1024


def reply(answer: Callable[[], Any]) -> dict[str, Any]:
    """The result of a question in a worker; a DarkroomError is sent to the caller as a sentence, not as a traceback."""
    try:
        return {"value": answer()}
    except DarkroomError as error:
        kind = next((name for name, cls in _KINDS.items() if isinstance(error, cls)), "DarkroomError")
        return {"error": str(error), "kind": kind}


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
    """A question that was sent; `wait` returns the answer."""

    def __init__(self, task: str, **arguments: Any) -> None:
        self.task = task
        self._arguments = arguments
        with _redis_may_be_away():
            self._result = app.send_task(task, kwargs=arguments, ignore_result=False, kwargsrepr=_shown(arguments))

    def ask_again(self) -> None:
        """Send it again, because its worker may have died; the first answer to either counts."""
        with _redis_may_be_away():
            app.send_task(
                self.task,
                kwargs=self._arguments,
                task_id=self._result.id,
                ignore_result=False,
                kwargsrepr=_shown(self._arguments),
            )

    def ready(self) -> bool:
        """True if the answer has come."""
        with _redis_may_be_away():
            return bool(self._result.ready())

    def ask_anew(self) -> None:
        """Ask as another question, after the answer to this one was that it cannot be answered now."""
        arguments = self._arguments
        with _redis_may_be_away():
            self._result = app.send_task(self.task, kwargs=arguments, ignore_result=False, kwargsrepr=_shown(arguments))

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


def ask(task: str, timeout: float, **arguments: Any) -> Any:
    """Ask and wait: see `Question`."""
    return Question(task, **arguments).wait(timeout)
