"""Pictures that are there more than once: the same bytes, or nearly the same to the eye of CLIP."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from producer.collection.search import filled_collection
from producer.formatting import brief, counted, readable_bytes
from producer.pages.contact_sheet import Section
from producer.records import Picture, Records, arrow_table
from producer.results import Drawer, print_picture
from producer.stack import Stack
from producer.waiting import wait_for
from tasks.queues import DUPLICATES
from tasks.rpc import Question

if TYPE_CHECKING:
    import pyarrow

ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Duplicates:
    """`groups` of pictures, the largest first; a picture's score is its cosine to the first of its group.

    `total` groups there are among `points` pictures; `groups` may be fewer.
    """

    groups: Sequence[Records[Picture]]
    total: int
    points: int

    def to_arrow(self) -> "pyarrow.Table":
        """A row a picture; the column `group` counts the groups from 1."""
        return arrow_table(
            [{"group": number, **row} for number, group in enumerate(self.groups, 1) for row in group.to_dicts()]
        )


def duplicates(
    near: float | None, where: dict[str, Any] | None, limit: int | None, stack: Stack, console: Console
) -> Duplicates:
    """The groups of pictures with the same bytes, or with `near` those with at least that cosine similarity.

    At most `limit` groups, None for all. The storage worker does the work beside its other work. Raises WrongUse for an
    empty collection.
    """
    filled_collection(stack)
    token = uuid.uuid4().hex
    groups: list[Records[Picture]] = []
    offset: int | None = 0
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("comparing" if near is not None else "looking for copies", total=1.0)
        while True:
            question = Question(DUPLICATES, token=token, near=near, where=where, offset=offset)
            page = wait_for(question, stack, ANSWER_SECONDS, "storage")
            bar.update(task, completed=page["done"])
            if "groups" not in page:
                time.sleep(POLL_SECONDS)
                continue
            groups += [Records(map(Picture.from_row, rows)) for rows in page["groups"]]
            offset = page["next"]
            if offset is None or (limit is not None and len(groups) >= limit):
                return Duplicates(groups[:limit], page["total"], page["points"])


def print_duplicates(result: Duplicates, near: float | None, console: Console, draw: Drawer | None = None) -> None:
    """What there is in a sentence, then the groups one after the other."""
    console.print(Text(summary(result, near)), soft_wrap=True)
    for number, group in enumerate(result.groups, 1):
        console.print()
        console.print(Text(heading(number, group), style="bold"), soft_wrap=True)
        if draw is not None:
            for row in group.to_dicts():
                print_picture(row, console, draw)
            continue
        table = Table(box=None, pad_edge=False, show_header=False)
        for row in group.to_dicts():
            size = readable_bytes(row["bytes"]) if row.get("bytes") else ""
            cells = [f"{row['score']:.3f}"] if near is not None else []
            table.add_row(*cells, Text(size, justify="right"), Text(brief(row["uri"]), overflow="fold"))
        console.print(table)
    if len(result.groups) < result.total:
        console.print()
        console.print(f"… and {result.total - len(result.groups):,} more groups: -n {result.total} lists all.")


def summary(result: Duplicates, near: float | None) -> str:
    """How many groups there are, and how much of the disk the copies fill, where all groups are at hand."""
    alike = "with the same bytes" if near is None else f"with a similarity of at least {near:g}"
    among = f"among {result.points:,} pictures"
    if not result.total:
        return f"No two pictures {alike} {among}."
    groups = f"{counted(result.total, 'group')} of pictures {alike} {among}"
    if len(result.groups) < result.total:
        return f"{groups}."
    files = sum(len(group) - 1 for group in result.groups)
    weight = readable_bytes(sum(picture.payload.get("bytes") or 0 for group in result.groups for picture in group[1:]))
    return f"{groups}; all but the first of each are {counted(files, 'file')}, {weight}."


def heading(number: int, group: Records[Picture]) -> str:
    """The title of a group: its number, its size, and the caption of its first picture."""
    caption = next((picture.caption for picture in group if picture.caption), None)
    return f"{number}. {len(group):,} pictures" + (f": {caption}" if caption else "")


def page_sections(result: Duplicates) -> list[Section]:
    """A section a group."""
    return [Section(heading(number, group), group.to_dicts()) for number, group in enumerate(result.groups, 1)]
