"""Records for people and for programs: a table on a terminal, elsewhere a line a record with tabs between fields."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Table
from rich.text import Text

from producer.formatting import brief, one_line, shown
from settings.plain_text import printable

GAP = 2
# What a terminal can open when its user clicks on it.
LINKED = ("file", "http", "https")


@dataclass(frozen=True)
class Cell:
    """One field of a record: `text` for people, and for programs `plain`, where that is something else."""

    text: str
    plain: str | None = None
    style: str | Style = ""

    @property
    def field(self) -> str:
        """The field as a program gets it: never with a tab or the end of a line in it."""
        return one_line(self.text if self.plain is None else self.plain)


@dataclass(frozen=True)
class Column:
    """The title of a column; numbers stand at the right of theirs."""

    title: str
    is_number: bool = False


def file_cell(uri: str) -> Cell:
    """Where a picture lies: a link for people, from the working directory on, and the whole path for programs."""
    return Cell(brief(uri), shown(uri), Style(link=uri) if urlsplit(uri).scheme in LINKED else "")


def count_cell(count: int | None) -> Cell:
    """A number of things; one that is not known is "?" to people and empty to programs."""
    return Cell("?", "") if count is None else Cell(f"{count:,}", str(count))


def print_records(
    console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], header: bool = True
) -> None:
    """Print a row a record. The last column is never broken, cut or padded, so that a path in it can be copied.

    On a terminal it stands on a line of its own where the row does not fit, and a column without any value is left out.
    In a pipe there is no header, and every record has all its fields.
    """
    if not console.is_terminal:
        for row in rows:
            # As a segment and not as a text, in which rich would turn tabs into spaces.
            line = "\t".join(printable(cell.field) for cell in row)
            console.print(Segments([Segment(f"{line}\n")]), end="", soft_wrap=True)
        return
    records = [list(row) for row in rows]
    used = [number for number in range(len(columns)) if any(row[number].text for row in records)]
    columns, records = [columns[number] for number in used], [[row[number] for number in used] for row in records]
    if not records or not columns:
        return
    widths = [max(map(cell_len, texts)) for texts in zip(*_texts(columns, records, header), strict=True)]
    if len(columns) == 1 or sum(widths) + GAP * (len(widths) - 1) <= console.width:
        if header:
            _print_line(console, [Cell(column.title, style="bold") for column in columns], columns, widths)
        for row in records:
            _print_line(console, row, columns, widths)
        return
    for row in records:
        console.print(_above(row[:-1], columns, widths))
        console.print(Text("  ").append_text(Text(row[-1].text, row[-1].style)), soft_wrap=True)


def _texts(columns: Sequence[Column], records: Sequence[Sequence[Cell]], header: bool) -> list[list[str]]:
    titles = [[column.title for column in columns]] if header else []
    return [*titles, *([cell.text for cell in row] for row in records)]


def _print_line(console: Console, row: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int]) -> None:
    line = Text()
    for cell, column, width in zip(row, columns, widths, strict=True):
        padding = " " * (width - cell_len(cell.text))
        is_last = column is columns[-1]
        line.append(padding if column.is_number else "").append(cell.text, cell.style)
        line.append("" if is_last else (" " * GAP if column.is_number else padding + " " * GAP))
    console.print(line, soft_wrap=True)


def _above(row: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int]) -> Table:
    """The other fields of a record, the last of them as sentences that are wrapped between words."""
    grid = Table.grid(padding=(0, GAP, 0, 0))
    for number, (column, width) in enumerate(zip(columns, widths, strict=False)):
        is_sentence = number == len(row) - 1
        justify: JustifyMethod = "right" if column.is_number else "left"
        if number < len(row):
            grid.add_column(justify=justify, width=None if is_sentence else width, no_wrap=not is_sentence)
    grid.add_row(*(Text(cell.text, cell.style) for cell in row))
    return grid
