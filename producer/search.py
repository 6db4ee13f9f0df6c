"""Search by words: the text's embedding from a GPU worker, the nearest points from the storage worker."""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.names import brief
from producer.patience import collection_facts, wait_for
from producer.stack import attached
from settings import Settings
from tasks.errors import WrongUse
from tasks.queues import EMBED_TEXTS, SEARCH
from tasks.rpc import Question

EMBED_SECONDS = 300.0
SEARCH_SECONDS = 60.0


def search(text: str, limit: int, settings: Settings, report: Callable[[list[dict[str, Any]]], None]) -> None:
    """Report the points nearest to a text, best first: {"uri", "score", "caption", ...}, before the stack goes down.

    Raises WrongUse for an empty text or an empty collection, ServiceMissing when a worker cannot come up.
    """
    if not text.strip():
        raise WrongUse("Say what to search for, in a few words.")
    with attached(settings) as stack:
        facts = collection_facts(stack)
        if not facts["points"]:
            raise WrongUse(f"The collection {facts['name']!r} is empty: fill it with `python -m producer ingest DIR`.")
        embedded = wait_for(Question(EMBED_TEXTS, texts=[text]), stack, EMBED_SECONDS, "gpu")
        question = Question(
            SEARCH, vector=embedded["vectors"], clip_model=embedded["clip_model"], limit=limit, where=None
        )
        report(wait_for(question, stack, SEARCH_SECONDS, "storage"))


def print_results(results: list[dict[str, Any]], console: Console) -> None:
    """A table of score, caption and path."""
    table = Table("score", "caption", "file", box=None, pad_edge=False, header_style="bold")
    for result in results:
        caption = Text(result.get("caption") or "", overflow="fold")
        table.add_row(f"{result['score']:.3f}", caption, Text(brief(result["uri"]), overflow="fold"))
    console.print(table)
