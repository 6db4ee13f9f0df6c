"""Results of a search as a person sees them: in a terminal, and on a page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from producer.contact_sheet import Section
from producer.names import brief
from producer.search import Found, Rows

Drawer = Callable[[str], RenderableType | None]


def print_results(rows: Rows, conditions: Sequence[str], console: Console, draw: Drawer | None = None) -> None:
    """A table of score, caption and path; with `draw` each picture, and the same below it. None found is said so."""
    if not rows:
        console.print(Text(nothing(conditions)), soft_wrap=True)
    elif draw is None:
        console.print(results_table(rows))
    else:
        for row in rows:
            print_picture(row, console, draw)


def nothing(conditions: Sequence[str]) -> str:
    """The sentence for no results."""
    return f"No picture in the collection matches {' and '.join(conditions)}." if conditions else "Nothing was found."


def results_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row a picture, with the columns that any of them has something for."""
    scored = any(row.get("score") is not None for row in rows)
    captioned = any(row.get("caption") for row in rows)
    names = [name for name, wanted in (("score", scored), ("caption", captioned), ("file", True)) if wanted]
    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        cells: list[str | Text] = [f"{row['score']:.3f}"] if scored else []
        if captioned:
            cells.append(Text(row.get("caption") or "", overflow="fold"))
        table.add_row(*cells, Text(brief(row["uri"]), overflow="fold"))
    return table


def print_picture(row: Mapping[str, Any], console: Console, draw: Drawer) -> None:
    """One picture, where it can be drawn, and below it what is known of it."""
    picture = draw(row["uri"])
    if picture is not None:
        console.print(picture)
    score = [f"{row['score']:.3f}"] if row.get("score") is not None else []
    caption = [row["caption"]] if row.get("caption") else []
    console.print(Text("  ".join([*score, *caption, brief(row["uri"])])), soft_wrap=True)
    console.print()


def page_sections(found: Found) -> list[Section]:
    """The picture that was searched by, where there is one, then what was found."""
    if found.picture is None:
        return [Section("", found.rows)]
    return [Section("This picture", [{"uri": found.picture.uri}]), Section("Most alike first", found.rows)]


def page_note(count: int, conditions: Sequence[str], what: str = "picture") -> str:
    """What a page says below its title: how many there are, and what was asked of them."""
    plural = "" if count == 1 else "s"
    return " · ".join([f"{count:,} {what}{plural}", *conditions])
