"""Waiting for an answer without hanging: whoever cannot answer any more is named."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from producer.stack import Stack
from settings.errors import ServiceMissing
from settings.redis_errors import REDIS_ERRORS, may_pass, refusal
from tasks.queues import COLLECTION
from tasks.rpc import Question

T = TypeVar("T")
POLL_SECONDS = 0.02
# Answers take a fraction of a second where models are loaded; a second answer to the same question does no harm.
ASK_AGAIN_SECONDS = 10.0
BROKER_SECONDS = 120.0
AWAY_STEP_SECONDS = 1.0
STORAGE_SECONDS = 15.0


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
            raise ServiceMissing(
                f"No {who} worker answered in {seconds:g} s: start one with `python -m workers {who}`, "
                "or see the logs of the one that runs."
            )
        time.sleep(POLL_SECONDS)
    return question.wait(10)


def with_retries(
    work: Callable[[], T], stack: Stack, say: Callable[[str], None], moved: Callable[[], object] = lambda: None
) -> T:
    """Do something with Redis, however often it takes while Redis is away or refuses; `work` must bear to be repeated.

    `moved` tells how far the work of others is: what they finish makes room in a full Redis. Raises ServiceMissing when
    nothing has changed for BROKER_SECONDS, and at once what Redis raises about a fault in what it was asked.
    """
    start, said, last = time.monotonic(), "", moved()
    while True:
        try:
            return work()
        except REDIS_ERRORS as error:
            if not may_pass(error):
                raise
            refused = refusal(error)
            if time.monotonic() - start > BROKER_SECONDS:
                what = f"{refused}, and that" if refused else "is away"
                raise ServiceMissing(f"Redis {what} for {BROKER_SECONDS:.0f} s ({error}).") from error
        reason = refused or "does not answer"
        if reason != said:
            said = reason
            say(f"Redis {reason}; waiting for it.")
        restart_if_ended(stack, say)
        time.sleep(AWAY_STEP_SECONDS)
        if (now := moved()) != last:
            start, last = time.monotonic(), now


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
