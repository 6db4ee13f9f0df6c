"""What the collection holds: formats, cameras, years, and the words that its captions use most."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.collection.scroll import pages
from producer.collection.search import filled_collection
from producer.formatting import shown
from producer.records import arrow_table
from producer.stack import Stack
from producer.waiting import wait_for
from tasks.queues import COUNTS, FACET
from tasks.rpc import Question

if TYPE_CHECKING:
    import pyarrow

ANSWER_SECONDS = 120.0
# The oldest photograph that is left was taken in 1827; dates before it are mistakes, and so are those long after now.
FIRST_YEAR = 1820
TOP = 10
WORDS = 20
# The words of this many captions say what all of them would.
CAPTIONS = 100_000
BAR = 40
# Articles, prepositions, conjunctions and forms of "to be": they stand in every caption and tell nothing.
_EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the of and or in on at to by for with from into over under near next it its his her their is are was "
        "were be being this that these those there some up down out off as",
    )
)


@dataclass(frozen=True)
class Stats:
    """What a collection holds; each mapping is value -> number of points, the most frequent first, years in order.

    `words` are those of the first `captions_read` captions; `undated` points have no year.
    """

    collection: str
    clip_model: str
    points: int
    formats: dict[str, int]
    cameras: dict[str, int]
    lenses: dict[str, int]
    folders: dict[str, int]
    years: dict[str, int]
    undated: int
    words: dict[str, int]
    captions_read: int

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)

    def to_arrow(self) -> "pyarrow.Table":
        """A row a value: the columns fact, value and points."""
        facts = ("formats", "cameras", "lenses", "folders", "years", "words")
        return arrow_table(
            [
                {"fact": fact, "value": value, "points": points}
                for fact in facts
                for value, points in getattr(self, fact).items()
            ]
        )


def stats(stack: Stack) -> Stats:
    """What the collection holds; raises WrongUse for an empty one."""
    facts = filled_collection(stack)
    years = _years(stack)
    words, captions_read = _words(stack)
    return Stats(
        collection=facts["name"],
        clip_model=facts["clip_model"],
        points=facts["points"],
        formats=_facet(stack, "format"),
        cameras=_facet(stack, "camera"),
        lenses=_facet(stack, "lens"),
        folders={shown(uri): count for uri, count in _facet(stack, "root").items()},
        years=years,
        undated=facts["points"] - sum(years.values()),
        words=words,
        captions_read=captions_read,
    )


def count_words(captions: Iterable[str]) -> Counter[str]:
    """How many of the captions use each word; words that tell nothing are left out."""
    counted: Counter[str] = Counter()
    for caption in captions:
        counted.update(set(re.findall(r"[^\W\d_]{2,}", caption.lower())) - _EMPTY_WORDS)
    return counted


def print_stats(stats: Stats, console: Console) -> None:
    """A line about the collection, then a small histogram of each kind."""
    console.print(Text(f"Collection {stats.collection}: {stats.points:,} points, {stats.clip_model}"))
    undated = f", {stats.undated:,} without a date" if stats.undated else ""
    for title, counts in (
        ("Formats", stats.formats),
        (f"Years{undated}", stats.years),
        ("Cameras", stats.cameras),
        ("Lenses", stats.lenses),
        ("Folders", stats.folders),
        (f"Words of {stats.captions_read:,} captions", stats.words),
    ):
        if counts:
            console.print()
            console.print(Text(title, style="bold"))
            console.print(histogram(counts))


def histogram(counts: Mapping[str, int]) -> Table:
    """A bar for each value; the longest is BAR characters."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold", max_width=40)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    most = max(counts.values())
    for value, count in counts.items():
        table.add_row(Text(value), f"{count:,}", Text("█" * max(1, round(BAR * count / most)), style="cyan"))
    return table


def _facet(stack: Stack, field: str) -> dict[str, int]:
    counts = wait_for(Question(FACET, field=field, limit=TOP), stack, ANSWER_SECONDS, "storage")
    return {str(value): count for value, count in counts}


def _years(stack: Stack) -> dict[str, int]:
    """Year -> points, in order. A date has no facet, so points are counted: decades first, then the years in them."""
    end = datetime.now(UTC).year + 2
    decades = [(year, min(year + 10, end)) for year in range(FIRST_YEAR, end, 10)]
    held = [span for span, count in zip(decades, _between(stack, decades), strict=True) if count]
    years = [year for start, stop in held for year in range(start, stop)]
    counts = _between(stack, [(year, year + 1) for year in years])
    return {str(year): count for year, count in zip(years, counts, strict=True) if count}


def _between(stack: Stack, spans: list[tuple[int, int]]) -> list[int]:
    wheres = [
        {"all": [{"field": "taken_at", "from": f"{start}-01-01", "to": f"{stop}-01-01"}]} for start, stop in spans
    ]
    counts: list[int] = wait_for(Question(COUNTS, wheres=wheres), stack, ANSWER_SECONDS, "storage") if spans else []
    return counts


def _words(stack: Stack) -> tuple[dict[str, int], int]:
    counted: Counter[str] = Counter()
    read = 0
    for page in pages(stack, {"all": [{"field": "caption", "exists": True}]}, ["caption"]):
        captions = [payload["caption"] for payload in page.payloads]
        counted.update(count_words(captions))
        read += len(captions)
        if read >= CAPTIONS:
            break
    return dict(counted.most_common(WORDS)), read
