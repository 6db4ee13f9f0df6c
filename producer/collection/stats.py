"""What the collection holds: formats, cameras, years, and the words that its captions use most."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from pictures.uris import folder_of
from producer.collection.filled import filled_collection
from producer.collection.scroll import pages
from producer.collection.where_fields import ALSO, FIELDS
from producer.formatting import counted, shown
from producer.records import arrow_table
from producer.stack import Stack
from producer.table import Cell, Column, count_cell, print_records
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import COUNTS, FACET
from tasks.rpc import Question

if TYPE_CHECKING:
    import pyarrow

ANSWER_SECONDS = 120.0
# The decade of the first date that is taken for one (pictures/facts/times.py).
FIRST_YEAR = 1820
TOP = 10
WORDS = 20
# The words of this many captions say what all of them would.
CAPTIONS = 100_000
BAR = 24
FACTS = ("formats", "years", "months", "cameras", "lenses", "places", "concepts", "folders", "subfolders", "words")
# Articles, prepositions, conjunctions, forms of "to be" and names of pictures as such: they tell nothing.
_EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the of and or in on at to by for with from into over under near next it its his her their is are was "
        "were be being this that these those there some up down out off as background foreground image picture photo "
        "photograph view",
    )
)


@dataclass(frozen=True)
class Stats:
    """What a collection holds; each mapping is value -> number of points, the most frequent first, years in order.

    `words` are those of the first `captions_read` captions; `undated` points have no year. `folders` are the roots of
    the ingests, `subfolders` the folders that most pictures are in; `months` are those of the years, like 2024-05.
    """

    collection: str
    clip_model: str
    points: int
    formats: dict[str, int]
    cameras: dict[str, int]
    lenses: dict[str, int]
    places: dict[str, int]
    concepts: dict[str, int]
    folders: dict[str, int]
    subfolders: dict[str, int]
    years: dict[str, int]
    months: dict[str, int]
    undated: int
    words: dict[str, int]
    captions_read: int

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)

    def to_arrow(self) -> "pyarrow.Table":
        """A row a value: the columns fact, value and points."""
        return arrow_table(
            [
                {"fact": fact, "value": value, "points": points}
                for fact in FACTS
                for value, points in getattr(self, fact).items()
            ]
        )


def stats(stack: Stack) -> Stats:
    """What the collection holds; raises WrongUse for an empty one."""
    facts = filled_collection(stack)
    years = _years(stack)
    words, captions_read, subfolders = _read_all(stack)
    return Stats(
        collection=facts["name"],
        clip_model=facts["clip_model"],
        points=facts["points"],
        formats=facet("format", None, TOP, stack),
        cameras=facet("camera", None, TOP, stack),
        lenses=facet("lens", None, TOP, stack),
        places=facet("places", None, TOP, stack),
        concepts=facet("concepts", None, TOP, stack),
        folders=facet("root", None, TOP, stack),
        subfolders=subfolders,
        years=years,
        months=_months(stack, list(map(int, years))),
        undated=facts["points"] - sum(years.values()),
        words=words,
        captions_read=captions_read,
    )


# What a person may ask the values of.
FACETS = ("camera", "lens", "format", "keywords", "concept", "place", "root")


def facet_field(name: str) -> str:
    """The payload field whose values a person asks for; raises WrongUse for one that has no facet."""
    name = ALSO.get(name.lower(), name.lower())
    if name not in FACETS:
        raise WrongUse(f"There are no facets of {name!r}: there are those of {', '.join(FACETS)}.")
    return "root" if name == "root" else FIELDS[name].payload


def facet(field: str, where: dict[str, Any] | None, limit: int, stack: Stack) -> dict[str, int]:
    """value -> points, the most frequent first; folders are shown as paths."""
    counts = wait_for(Question(FACET, field=field, where=where, limit=limit), stack, ANSWER_SECONDS, "storage")
    return {shown(value) if field == "root" else str(value): count for value, count in counts}


def count_words(captions: Iterable[str]) -> Counter[str]:
    """How many of the captions use each word; words that tell nothing are left out."""
    counted: Counter[str] = Counter()
    for caption in captions:
        counted.update(set(re.findall(r"[^\W\d_]{2,}", caption.lower())) - _EMPTY_WORDS)
    return counted


def print_stats(stats: Stats, console: Console) -> None:
    """A line about the collection, then a small histogram of each kind; in a pipe a record for each value."""
    if not console.is_terminal:
        columns = (Column("fact"), Column("points"), Column("value"))
        print_records(
            console,
            columns,
            (
                [Cell(fact), count_cell(count), Cell(value)]
                for fact in FACTS
                for value, count in getattr(stats, fact).items()
            ),
        )
        return
    console.print(Text(f"Collection {stats.collection}: {counted(stats.points, 'point')}, {stats.clip_model}"))
    undated = f", {stats.undated:,} without a date" if stats.undated else ""
    titles = {"years": f"Years{undated}", "words": f"Words of {counted(stats.captions_read, 'caption')}"}
    for fact in FACTS:
        if fact == "subfolders" and stats.subfolders == stats.folders:
            continue
        if counts := getattr(stats, fact):
            console.print()
            console.print(Text(titles.get(fact, fact.capitalize()), style="bold"))
            print_histogram(counts, console)


def print_histogram(counts: Mapping[str, int], console: Console) -> None:
    """A bar for each value, the longest of them BAR characters; behind it the value, which is never broken."""
    most, block = max(counts.values()), "█" if console.encoding.startswith("utf") else "#"
    rows = (
        [count_cell(count), Cell(block * max(1, round(BAR * count / most)), style="cyan"), Cell(value)]
        for value, count in counts.items()
    )
    print_records(console, (Column("", is_number=True), Column(""), Column("")), rows, header=False)


def _years(stack: Stack) -> dict[str, int]:
    """Year -> points, in order. A date has no facet, so points are counted: decades first, then the years in them."""
    end = datetime.now(UTC).year + 2
    decades = [(year, min(year + 10, end)) for year in range(FIRST_YEAR, end, 10)]
    counted = _between(stack, [(f"{start}-01-01", f"{stop}-01-01") for start, stop in decades])
    held = [span for span, count in zip(decades, counted, strict=True) if count]
    years = [year for start, stop in held for year in range(start, stop)]
    counts = _between(stack, [(f"{year}-01-01", f"{year + 1}-01-01") for year in years])
    return {str(year): count for year, count in zip(years, counts, strict=True) if count}


def _between(stack: Stack, spans: list[tuple[str, str]]) -> list[int]:
    wheres = [{"all": [{"field": "taken_local", "from": start, "to": stop}]} for start, stop in spans]
    counts: list[int] = wait_for(Question(COUNTS, wheres=wheres), stack, ANSWER_SECONDS, "storage") if spans else []
    return counts


def _months(stack: Stack, years: list[int]) -> dict[str, int]:
    """Month -> points, in order, of these years."""
    months = [(year, month) for year in years for month in range(1, 13)]
    spans = [(f"{year}-{month:02}-01", f"{year + month // 12}-{month % 12 + 1:02}-01") for year, month in months]
    counts = _between(stack, spans)
    return {f"{year}-{month:02}": count for (year, month), count in zip(months, counts, strict=True) if count}


def _read_all(stack: Stack) -> tuple[dict[str, int], int, dict[str, int]]:
    """The words of the first captions, how many captions those are, and the folders that most pictures are in."""
    words: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    read = 0
    for page in pages(stack, None, ["caption", "uri"]):
        folders.update(folder_of(payload["uri"]) for payload in page.payloads)
        if read < CAPTIONS:
            captions = [caption for payload in page.payloads if (caption := payload.get("caption"))]
            words.update(count_words(captions))
            read += len(captions)
    top = {shown(uri): count for uri, count in folders.most_common(TOP)}
    return dict(words.most_common(WORDS)), read, top
