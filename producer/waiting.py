"""Waiting for an answer without hanging: whoever cannot answer any more is named."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from producer.stack import Stack
from settings.errors import ServiceMissing
from tasks.queues import COLLECTION
from tasks.rpc import Question

T = TypeVar("T")
POLL_SECONDS = 0.02
# Answers take a fraction of a second where models are loaded; a second answer to the same question does no harm.
ASK_AGAIN_SECONDS = 10.0
BROKER_SECONDS = 120.0
AWAY_STEP_SECONDS = 1.0
STORAGE_SECONDS = 15.0


class NobodyAnswers(ServiceMissing):
    """No worker that could answer lives, or the one that lives does not."""


def wait_for(
    question: Question, stack: Stack, seconds: float, who: str, leaving: Callable[[], bool] | None = None
) -> Any:
    """The answer to a question.

    Raises ServiceMissing with the worker's own sentence when the worker that should answer cannot come up, and with
    what to start when nobody answered for `seconds`. A question that may have died with a worker or with Redis is asked
    again, and a local stack that has ended is started again.
    """
    start = checked = last_asked = time.monotonic()
    while not _is_answered(question):
        now = time.monotonic()
        if leaving is not None and leaving():
            raise KeyboardInterrupt
        if now - checked > 0.5:
            checked = now
            if stack.has_ended():
                stack.restart()
            raise_faults(stack, who)
        if now - last_asked > ASK_AGAIN_SECONDS:
            last_asked = now
            with suppress(OperationalError, RedisError):
                question.ask_again()
        if now - start > seconds:
            raise NobodyAnswers(
                f"No {who} worker answered in {seconds:g} s: start one with `python -m workers {who}`, "
                "or see the logs of the one that runs."
            )
        time.sleep(POLL_SECONDS)
    return question.wait(10)


def wait_through(question: Question, wait: Callable[[], T], say: Callable[[str], None]) -> T:
    """What `wait` returns for a question; while a worker says that a service is missing it is asked anew.

    For work that is under way: what a command at its beginning should tell at once, an ingest in its middle waits for.
    """
    said = ""
    while True:
        try:
            return wait()
        except NobodyAnswers:
            raise
        except ServiceMissing as error:
            if said != str(error):
                said = str(error)
                say(f"{said} Waiting for it.")
        time.sleep(AWAY_STEP_SECONDS)
        with suppress(OperationalError, RedisError):
            question.ask_anew()


def with_retries(work: Callable[[], T], stack: Stack, say: Callable[[str], None]) -> T:
    """Do something with Redis, however often it takes while Redis is away; `work` must bear to be repeated.

    Raises ServiceMissing when Redis is away for BROKER_SECONDS.
    """
    start = time.monotonic()
    announced = False
    while True:
        try:
            return work()
        except (OperationalError, RedisError, OSError) as error:
            if time.monotonic() - start > BROKER_SECONDS:
                raise ServiceMissing(f"Redis is away for {BROKER_SECONDS:.0f} s ({error}).") from error
        if not announced:
            announced = True
            say("Redis does not answer; waiting for it.")
        restart_if_ended(stack, say)
        time.sleep(AWAY_STEP_SECONDS)


def restart_if_ended(stack: Stack, say: Callable[[str], None]) -> None:
    """Start the local stack again where it has ended before its work was done."""
    if stack.has_ended():
        say("The local stack has ended; starting it again.")
        stack.restart()


def _is_answered(question: Question) -> bool:
    try:
        return question.ready()
    except (OperationalError, RedisError):
        return False


def raise_faults(stack: Stack, who: str = "") -> None:
    """Raise ServiceMissing with the sentence of a worker that says why it cannot work, if it is one of `who`.

    Where another one of them works there is nothing to raise: on several machines one is always being mended.
    """
    reported = {name: sentence for name, sentence in stack.faults().items() if name.startswith(who)}
    if reported and not stack.has_worker(who, but=reported):
        raise ServiceMissing(next(iter(reported.values())))


def collection_facts(stack: Stack) -> dict[str, Any]:
    """Name, model and size of the collection; raises ServiceMissing where no storage worker answers."""
    facts: dict[str, Any] = wait_for(Question(COLLECTION), stack, STORAGE_SECONDS, "storage")
    return facts
