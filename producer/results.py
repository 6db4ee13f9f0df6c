"""Results of a search on a terminal: a table, or small pictures where the terminal can show them."""

import io
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pictures.thumbnails import thumbnail
from producer.collection.search import Rows, SearchResult
from producer.formatting import brief, counted
from producer.pages.contact_sheet import Section
from settings.errors import ServiceMissing
from settings.extras import install_hint

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


def page_sections(result: SearchResult) -> list[Section]:
    """The picture that was searched by, where there is one, then the results."""
    if result.picture is None:
        return [Section("", result.to_dicts())]
    return [Section("This picture", [{"uri": result.picture.uri}]), Section("Most alike first", result.to_dicts())]


def page_note(count: int, conditions: Sequence[str], what: str = "picture") -> str:
    """What a page says below its title: how many there are, and what was asked of them."""
    return " · ".join([counted(count, what), *conditions])


COLUMNS = 24
# What is sent for each picture is this many pixels wide and high at most.
PIXELS = 320


def drawer(console: Console, wanted: bool | None) -> Callable[[str], RenderableType | None] | None:
    """What turns the URI of a picture into something that `console` can print (None for a file that cannot be read).

    None where only text should be printed: with `wanted` None there are pictures where the terminal itself says that
    it can show some (kitty's protocol or sixel); True draws with coloured half blocks where it cannot. A pipe, NO_COLOR
    and a dumb terminal get none in any case. Raises ServiceMissing where they are `wanted` and the packages for them
    are not installed.
    """
    if wanted is False or not _is_capable(console):
        return None
    logging.getLogger("textual_image").setLevel(logging.ERROR)
    try:
        # The import asks the terminal what it can do, so it must not happen before all that is checked.
        from textual_image.renderable import HalfcellImage, Image, UnicodeImage
    except ImportError:
        if wanted:
            raise ServiceMissing(
                f"Pictures in the terminal need packages that are not installed: run {install_hint('pictures')}."
            ) from None
        return None
    if not wanted and Image in (HalfcellImage, UnicodeImage):
        return None

    def draw(uri: str) -> RenderableType | None:
        jpeg = thumbnail(uri, PIXELS)
        return None if jpeg is None else Image(io.BytesIO(jpeg), width=COLUMNS, height="auto")

    return draw


def _is_capable(console: Console) -> bool:
    streams = (sys.__stdout__, sys.__stdin__)
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and not os.environ.get("NO_COLOR")
        and all(stream is not None and stream.isatty() for stream in streams)
        # Where nobody has told the terminal its size, none could be given to a picture.
        and os.get_terminal_size(1).columns > 0
    )
