"""The points of the collection, a page at a time: what the commands that look at all of it share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from producer.stack import Stack
from producer.waiting import wait_for
from tasks.queues import SCROLL
from tasks.rpc import Question

PAGE = 1000
PAGE_SECONDS = 120.0


@dataclass(frozen=True)
class Page:
    """Some points; `vectors` are float32, little-endian, row after row, `dim` numbers a row; empty unless asked for."""

    ids: list[str]
    payloads: list[dict[str, Any]]
    vectors: bytes
    dim: int


def pages(
    stack: Stack,
    where: dict[str, Any] | None = None,
    fields: list[str] | None = None,
    with_vectors: bool = False,
    size: int = PAGE,
) -> Iterator[Page]:
    """Every point that `where` lets through, in the order of the ids; two pages are held at a time, whatever there is.

    `fields` names the payload fields that are wanted, None for all. While one page is used the next one is fetched.
    """
    wanted = {"where": where, "limit": size, "fields": fields, "with_vectors": with_vectors}
    asked: Question | None = Question(SCROLL, after=None, **wanted)
    while asked is not None:
        found = wait_for(asked, stack, PAGE_SECONDS, "storage")
        following = found.pop("next")
        asked = Question(SCROLL, after=following, **wanted) if following is not None else None
        yield Page(**found)
