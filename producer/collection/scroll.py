"""The points of the collection, a page at a time: what the commands that look at all of it share."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from producer.records import Point
from producer.stack import Stack
from producer.waiting import wait_for
from settings.extras import require
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
    options: dict[str, Any] = {"where": where, "limit": size, "fields": fields, "with_vectors": with_vectors}
    pending: Question | None = Question(SCROLL, after=None, **options)
    while pending is not None:
        reply = wait_for(pending, stack, PAGE_SECONDS, "storage")
        next_page = reply.pop("next")
        pending = Question(SCROLL, after=next_page, **options) if next_page is not None else None
        yield Page(**reply)


def points(stack: Stack, where: dict[str, Any] | None, fields: list[str] | None, with_vectors: bool) -> Iterator[Point]:
    """The same points one by one; with vectors each has its own as float32 of (dim,)."""
    if with_vectors:
        require("numpy", "export", "Vectors as arrays need numpy")
    for page in pages(stack, where, fields, with_vectors):
        vectors: Iterable[Any] = repeat(None)
        if with_vectors:
            import numpy as np

            vectors = np.frombuffer(page.vectors, dtype="<f4").reshape(-1, page.dim)
        yield from map(Point, page.ids, page.payloads, vectors)
