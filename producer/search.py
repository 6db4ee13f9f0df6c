"""Search by words, by a picture and by facts: an embedding from a GPU worker, the nearest points from storage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer.patience import collection_facts, wait_for
from producer.picture_file import Embedding, PictureFile, embedding, open_picture
from producer.stack import Stack, attached
from producer.where_text import parse_conditions
from settings import Settings
from tasks.errors import WrongUse
from tasks.queues import EMBED_TEXTS, SCROLL, SEARCH
from tasks.rpc import Question

EMBED_SECONDS = 300.0
SEARCH_SECONDS = 60.0
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Query:
    """What to look for: words or a picture or neither, and conditions that all must hold."""

    text: str | None = None
    image: Path | None = None
    conditions: Sequence[str] = ()
    limit: int = 10


@dataclass(frozen=True)
class Found:
    """What a search found: {"uri", "score", ...facts}, best first; `picture` is the one that was searched by.

    Where neither words nor a picture were asked for there is no score and no order.
    """

    rows: Rows
    picture: PictureFile | None = None


def search(query: Query, settings: Settings, report: Callable[[Found], None]) -> None:
    """Report the points nearest to the query, before the stack goes down.

    Raises WrongUse for an empty query, a condition or a picture that cannot be read, or an empty collection, and
    ServiceMissing when a worker cannot come up.
    """
    if query.text is not None and not query.text.strip():
        raise WrongUse("Say what to search for, in a few words.")
    where = parse_conditions(query.conditions)
    picture = open_picture(query.image) if query.image is not None else None
    with attached(settings) as stack:
        facts = filled_collection(stack)
        if picture is not None:
            rows = nearest(embedding(picture, facts, stack), query.limit, where, stack)
        elif query.text is not None:
            made = wait_for(Question(EMBED_TEXTS, texts=[query.text]), stack, EMBED_SECONDS, "gpu")
            rows = nearest(Embedding(made["vectors"], made["clip_model"]), query.limit, where, stack)
        else:
            question = Question(SCROLL, where=where, limit=query.limit)
            rows = wait_for(question, stack, SEARCH_SECONDS, "storage")["payloads"]
        report(Found(rows, picture))


def similar(
    file: Path, conditions: Sequence[str], limit: int, copies: bool, settings: Settings, report: Callable[[Found], None]
) -> None:
    """Report the points nearest to a picture, never the file itself, and byte-identical copies only with `copies`.

    Raises what `search` raises.
    """
    where = parse_conditions(conditions) or {}
    picture = open_picture(file)
    if not copies:
        where = {**where, "none": [*where.get("none", []), {"field": "sha256", "is": picture.sha256}]}
    with attached(settings) as stack:
        facts = filled_collection(stack)
        # One more, because the file itself may be among them: as a copy, or as it was before it was changed.
        rows = nearest(embedding(picture, facts, stack), limit + 1, where or None, stack)
        others = [row for row in rows if row["uri"] != picture.uri]
        report(Found(others[:limit], picture))


def filled_collection(stack: Stack) -> dict[str, Any]:
    """Name, model and size of the collection; raises WrongUse where it is empty."""
    facts = collection_facts(stack)
    if not facts["points"]:
        raise WrongUse(f"The collection {facts['name']!r} is empty: fill it with `python -m producer ingest DIR`.")
    return facts


def nearest(wanted: Embedding, limit: int, where: dict[str, Any] | None, stack: Stack) -> Rows:
    """The points nearest to an embedding that let `where` through, best first."""
    question = Question(SEARCH, vector=wanted.vector, clip_model=wanted.clip_model, limit=limit, where=where)
    found: Rows = wait_for(question, stack, SEARCH_SECONDS, "storage")
    return found
