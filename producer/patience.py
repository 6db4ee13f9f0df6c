"""Waiting for an answer without hanging: whoever cannot answer any more is named."""

import time
from collections.abc import Callable
from typing import Any

from producer.stack import Stack
from tasks.errors import ServiceMissing
from tasks.queues import COLLECTION
from tasks.rpc import Question

POLL_SECONDS = 0.02
STORAGE_SECONDS = 15.0


def wait_for(
    question: Question, stack: Stack, seconds: float, who: str, leaving: Callable[[], bool] | None = None
) -> Any:
    """The answer to a question.

    Raises ServiceMissing with the worker's own sentence when the worker that should answer cannot come up, and with
    what to start when nobody answered for `seconds`.
    """
    begin = time.monotonic()
    checked = begin
    while not question.ready():
        now = time.monotonic()
        if leaving is not None and leaving():
            raise KeyboardInterrupt
        if now - checked > 0.5:
            checked = now
            raise_faults(stack, who)
        if now - begin > seconds:
            raise ServiceMissing(
                f"No {who} worker answered in {seconds:g} s: start one with `python -m workers {who}`, "
                "or see the logs of the one that runs."
            )
        time.sleep(POLL_SECONDS)
    return question.wait(10)


def raise_faults(stack: Stack, who: str = "") -> None:
    """Raise ServiceMissing with the sentence of a worker that says why it cannot work, if it is one of `who`."""
    for name, sentence in stack.faults().items():
        if name.startswith(who):
            raise ServiceMissing(sentence)


def collection_facts(stack: Stack) -> dict[str, Any]:
    """Name, model and size of the collection; raises ServiceMissing where no storage worker answers."""
    facts: dict[str, Any] = wait_for(Question(COLLECTION), stack, STORAGE_SECONDS, "storage")
    return facts
