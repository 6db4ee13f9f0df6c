"""Pictures that are there more than once: the same bytes, or nearly the same to the eye of CLIP."""

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import TextColumn
from rich.text import Text

from pictures.uris import uri_of
from producer.collection.filled import filled_collection
from producer.commands.results import Drawer, print_picture, score_cell
from producer.console import progress
from producer.formatting import counted, minute_taken, readable_bytes
from producer.ingest.sources.named_folder import absolute
from producer.pages.contact_sheet import Section
from producer.records import Picture, Records, arrow_table
from producer.stack import Stack
from producer.table import Cell, Column, file_cell, print_records
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import DUPLICATES
from tasks.rpc import Question

if TYPE_CHECKING:
    import pyarrow

ANSWER_SECONDS = 60.0
POLL_SECONDS = 0.1
# How alike the pictures of a group are: every pair, on average, or each one to some other.
LINKAGES = ("complete", "average", "single")
RULES = ("largest", "oldest", "format")


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


def keep_rules(given: Sequence[str]) -> list[str]:
    """The rules by which a picture of a group is kept, as the storage worker takes them.

    Each is one of RULES or a folder whose pictures are preferred; raises WrongUse for any other.
    """
    rules = []
    for rule in given:
        if rule in RULES:
            rules.append(rule)
        elif (folder := absolute(Path(rule))).is_dir():
            rules.append(f"folder:{uri_of(os.fsencode(os.path.join(folder, '')))}")
        else:
            raise WrongUse(f"{rule!r} is neither a rule ({', '.join(RULES)}) nor a folder.")
    return rules


def duplicates(
    near: float | None,
    where: dict[str, Any] | None,
    limit: int | None,
    linkage: str,
    keep: Sequence[str],
    stack: Stack,
    console: Console,
) -> Duplicates:
    """The groups of pictures with the same bytes, or with `near` those with at least that cosine similarity.

    At most `limit` groups, None for all. `linkage` is one of LINKAGES, `keep` are rules of `keep_rules`. The storage
    worker does the work beside its other work. Raises WrongUse for an empty collection.
    """
    filled_collection(stack)
    token = uuid.uuid4().hex
    groups: list[Records[Picture]] = []
    offset: int | None = 0
    with progress(console, TextColumn("{task.percentage:.0f} %")) as bar:
        task = bar.add_task("comparing" if near is not None else "looking for copies", total=1.0)
        while True:
            question = Question(
                DUPLICATES, token=token, near=near, where=where, offset=offset, linkage=linkage, keep=list(keep)
            )
            page = wait_for(question, stack, ANSWER_SECONDS, "storage")
            bar.update(task, completed=page["done"])
            if "groups" not in page:
                time.sleep(POLL_SECONDS)
                continue
            groups += [Records(map(Picture.from_row, rows)) for rows in page["groups"]]
            offset = page["next"]
            if offset is None or (limit is not None and len(groups) >= limit):
                return Duplicates(groups[:limit], page["total"], page["points"])


COLUMNS = (
    *(Column(name, is_number=True) for name in ("group", "score", "bytes")),
    *(Column(name) for name in ("taken", "file")),
)


def print_duplicates(result: Duplicates, near: float | None, console: Console, draw: Drawer | None = None) -> None:
    """The groups one after the other; in a pipe a record a picture, which begins with the number of its group."""
    groups = [(number, group, _cells(number, group, near)) for number, group in enumerate(result.groups, 1)]
    if not console.is_terminal:
        print_records(console, COLUMNS, (row for _, _, rows in groups for row in rows))
        return
    for number, group, rows in groups:
        console.print()
        console.print(Text(heading(number, group), style="bold"), soft_wrap=True)
        if draw is not None:
            for row in group.to_dicts():
                print_picture(row, console, draw)
        else:
            print_records(console, COLUMNS[1:], [row[1:] for row in rows], header=False)


def _cells(number: int, group: Records[Picture], near: float | None) -> list[list[Cell]]:
    """A record a picture; the same bytes are alike, so their similarity is nothing to show."""
    return [
        [
            Cell(str(number)),
            score_cell(row.get("score") if near is not None else None),
            Cell(readable_bytes(row["bytes"]), str(row["bytes"])) if row.get("bytes") else Cell(""),
            Cell(minute_taken(row), row.get("taken_at") or ""),
            file_cell(row["uri"]),
        ]
        for row in group.to_dicts()
    ]


def rest(result: Duplicates) -> str:
    """The sentence about the groups that are not shown; "" where all are."""
    left = result.total - len(result.groups)
    return f"… and {counted(left, 'more group')}: -n {result.total} lists all." if left > 0 else ""


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
