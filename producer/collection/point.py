"""One point of the collection, by its id."""

import uuid
from typing import Any

from producer.records import Point
from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import NotFound
from tasks.queues import SCROLL
from tasks.rpc import Question

ANSWER_SECONDS = 60.0


def point(id: str, stack: Stack) -> Point:
    """The point with this id; raises NotFound where the collection has none."""
    return Point(id, stored_point(id, stack, with_vectors=False)["payloads"][0])


def stored_point(id: str, stack: Stack, with_vectors: bool) -> dict[str, Any]:
    """A page with this point alone: the first one from its id on, if it is this one."""
    try:
        wanted = str(uuid.UUID(id))
    except ValueError:
        raise NotFound(f"There is no picture with the id {id[:80]}.") from None
    question = Question(SCROLL, where=None, limit=1, after=wanted, fields=None, with_vectors=with_vectors)
    page: dict[str, Any] = wait_for(question, stack, ANSWER_SECONDS, "storage")
    if page["ids"] != [wanted]:
        raise NotFound(f"There is no picture with the id {wanted}.")
    return page
