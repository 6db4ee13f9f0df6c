"""Waiting for an answer without hanging: whoever cannot answer any more is named."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from redis.exceptions import RedisError

from producer.stack import STARTUP_SECONDS, Stack
from producer.targets import require_collection
from settings.errors import ServiceMissing
from settings.redis_errors import may_pass, redis_errors, refusal
from tasks.broker import shared_client
from tasks.queues import COLLECTION
from tasks.registry import RENEW_SECONDS
from tasks.reports import loading
from tasks.rpc.question import Question

T = TypeVar("T")
# Answers take a fraction of a second where models are loaded; a second answer to the same question does no harm.
ASK_AGAIN_SECONDS = 10.0
# While there is no answer, Ctrl-C and the state of the workers are looked at so often.
LOOK_SECONDS = 0.1
WORKERS_SECONDS = 0.5
BROKER_SECONDS = 120.0
AWAY_STEP_SECONDS = 1.0
STORAGE_SECONDS = 15.0
# A Redis that has lost its data hears of its workers again within half of this time.
ABSENT_SECONDS = 2 * RENEW_SECONDS
# A worker that starts anew is not there for a moment.
FOREIGN_SECONDS = 3.0


class NobodyAnswers(ServiceMissing):
    """No worker that could answer lives, or the one that lives does not."""


def wait_for(
    question: Question,
    stack: Stack,
    seconds: float,
    who: str,
    leaving: Callable[[], bool] | None = None,
    absent_seconds: float | None = None,
) -> Any:
    """The answer to a question.

    Raises ServiceMissing with the worker's own sentence when the worker that should answer cannot come up, and with
    what to start when no such worker lived for `absent_seconds` (ABSENT_SECONDS by default), or none answered for
    `seconds`: one that loads its models is waited for; WrongUse when those who are there keep another collection. A
    question that may have died with a worker or with Redis is asked again, and a local stack that has ended is started
    again. One that is given up is withdrawn.
    """
    absent_seconds = ABSENT_SECONDS if absent_seconds is None else absent_seconds
    try:
        _wait_until_answered(question, stack, seconds, who, leaving, absent_seconds)
    except BaseException:
        with suppress(RedisError):
            question.withdraw()
        raise
    return question.wait(10)


def _wait_until_answered(
    question: Question,
    stack: Stack,
    seconds: float,
    who: str,
    leaving: Callable[[], bool] | None,
    absent_seconds: float,
) -> None:
    start = checked = last_asked = seen = begun = time.monotonic()
    while not question.ready(LOOK_SECONDS):
        now = time.monotonic()
        if leaving is not None and leaving():
            raise KeyboardInterrupt
        if now - checked > WORKERS_SECONDS:
            checked = now
            workers = _look_at_workers(stack, who)
            if workers.fault is not None:
                raise ServiceMissing(workers.fault)
            if workers.load:  # they may download for minutes, and have the question
                start = last_asked = now
            if workers.live:
                seen = now
            if stack.is_local and now - begun < STARTUP_SECONDS and not workers.are_up:
                start = now  # it was started for this question, and still loads
            elif now - seen > absent_seconds:
                raise NobodyAnswers(_nobody(who))
            # What is under way already waits for its workers.
            if leaving is None and now - start > FOREIGN_SECONDS:
                require_collection(stack, who)
        if now - last_asked > ASK_AGAIN_SECONDS:
            last_asked = now
            with suppress(RedisError):
                question.ask_again()
        if now - start > seconds:
            raise NobodyAnswers(
                f"No {who} worker answered in {seconds:g} s: start one with `python -m workers {who}`, "
                "or see the logs of the one that runs."
            )


def wait_through(
    question: Question, wait: Callable[[], T], say: Callable[[str], None], leaving: Callable[[], bool]
) -> T:
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
        if leaving():
            raise KeyboardInterrupt
        with suppress(RedisError):
            # Not `ask_again`: to the workers this one has had its answer.
            question.ask_anew()


def _nobody(who: str) -> str:
    kind = "GPU" if who == "gpu" else who
    all_kinds = ", or all that one machine can run with `python -m workers up`" if who == "storage" else ""
    return f"No {kind} worker is up at this Redis: start one with `python -m workers {who}`{all_kinds}."


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
        except redis_errors() as error:
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


def _loads(who: str) -> bool:
    try:
        return any(name.startswith(who) for name in loading(shared_client()))
    except RedisError:
        return False


def raise_faults(stack: Stack, who: str = "") -> None:
    """Raise ServiceMissing with the sentence of a worker that says why it cannot work, if it is one of `who`."""
    if (fault := _fault(stack, who)) is not None:
        raise ServiceMissing(fault)


def _fault(stack: Stack, who: str) -> str | None:
    """Why a worker cannot work; where another one of its kind works, that keeps nobody: one is always being mended."""
    reported = {name: sentence for name, sentence in stack.faults().items() if name.startswith(who)}
    return next(iter(reported.values())) if reported and not stack.has_worker(who, but=reported) else None


@dataclass(frozen=True)
class _Workers:
    """What a look at the workers of one kind has told: why none can work, whether one loads, lives, and is ready."""

    at: float
    fault: str | None
    load: bool
    live: bool
    are_up: bool


_looks: WeakKeyDictionary[Stack, dict[str, _Workers]] = WeakKeyDictionary()
_looking = threading.Lock()


def _look_at_workers(stack: Stack, who: str) -> _Workers:
    """How the workers are; of many threads that wait, one looks for all. A stack that has ended is started again."""
    with _looking:
        looks = _looks.setdefault(stack, {})
        look = looks.get(who)
        if look is None or time.monotonic() - look.at > WORKERS_SECONDS:
            if stack.has_ended():
                stack.restart()
            live = stack.is_local or stack.lives(who)
            up = stack.has_worker(who, but=())
            look = looks[who] = _Workers(time.monotonic(), _fault(stack, who), _loads(who), live, up)
    return look


def collection_facts(stack: Stack) -> dict[str, Any]:
    """Name, model and size of the collection; raises ServiceMissing where no storage worker answers."""
    facts: dict[str, Any] = wait_for(Question(COLLECTION), stack, STORAGE_SECONDS, "storage")
    return facts
