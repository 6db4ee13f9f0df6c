"""Small questions to the workers: a task with a result that somebody waits for."""

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

# Longer lists and bytes are shown by their length; the text as a whole as Celery limits it.
LONGEST_SHOWN = 8
MOST_SHOWN = 1024


def reply(work: Callable[[], Any]) -> dict[str, Any]:
    """Run the worker's side of a question; a mistake of the caller's travels back as a sentence, not as a traceback."""
    try:
        return {"value": work()}
    except DarkroomError as error:
        kind = next((name for name, cls in _KINDS.items() if isinstance(error, cls)), "DarkroomError")
        return {"error": str(error), "kind": kind}


def _shown(arguments: dict[str, Any]) -> str:
    """The arguments as Flower shows them; Celery would write out thousands of numbers and bytes to keep a few."""

    def short(value: Any) -> str:
        if isinstance(value, bytes | list) and len(value) > LONGEST_SHOWN:
            return f"<{len(value):,} {'bytes' if isinstance(value, bytes) else 'items'}>"
        return repr(value)

    return f"{{{', '.join(f'{name}: {short(value)}' for name, value in arguments.items())}}}"[:MOST_SHOWN]


@contextmanager
def _redis_may_be_away() -> Iterator[None]:
    """Celery says with a RuntimeError that Redis is away; here it is a RedisError, as everywhere else."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != E_RETRY_LIMIT_EXCEEDED:
            raise
        raise RedisConnectionError("Redis does not answer") from error


class Question:
    """A question on its way; `wait` returns the answer."""

    def __init__(self, task: str, **arguments: Any) -> None:
        self.task = task
        self._arguments = arguments
        with _redis_may_be_away():
            self._result = app.send_task(task, kwargs=arguments, ignore_result=False, kwargsrepr=_shown(arguments))

    def ask_again(self) -> None:
        """Send it once more, for the worker that had it may have died with it; any answer to either will do."""
        with _redis_may_be_away():
            app.send_task(
                self.task,
                kwargs=self._arguments,
                task_id=self._result.id,
                ignore_result=False,
                kwargsrepr=_shown(self._arguments),
            )

    def ready(self) -> bool:
        """True when the answer is there."""
        with _redis_may_be_away():
            return bool(self._result.ready())

    def wait(self, timeout: float) -> Any:
        """The answer, after at most `timeout` seconds.

        Raises the error that the worker met, TimeoutError when no worker answered in time, RedisError without Redis.
        """
        try:
            # Safe inside a worker: whoever asks runs on another pool than whoever answers.
            with _redis_may_be_away():
                reply = self._result.get(timeout=timeout, disable_sync_subtasks=False)
        except CeleryTimeout as error:
            self._result.forget()
            raise TimeoutError(f"no answer to {self.task} in {timeout:g} s") from error
        with suppress(RedisError):  # the answer is here; what is left of it in Redis expires
            self._result.forget()
        if "error" in reply:
            raise _KINDS.get(reply["kind"], DarkroomError)(reply["error"])
        return reply["value"]


def ask(task: str, timeout: float, **arguments: Any) -> Any:
    """Ask and wait: see `Question`."""
    return Question(task, **arguments).wait(timeout)
