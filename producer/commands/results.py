"""Results of a search: records, or small pictures where the terminal can show them."""

import io
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from pictures.thumbnail_store import kept_here
from pictures.thumbnails import THUMBNAIL, thumbnail
from producer.formatting import counted, minute_taken
from producer.pages.contact_sheet import Section
from producer.search.search import Rows, SearchResult
from producer.table import Cell, Column, file_cell, print_records
from settings import load_settings
from settings.errors import ServiceMissing
from settings.extras import install_hint

Drawer = Callable[[Mapping[str, Any]], RenderableType | None]


COLUMNS = (Column("score", is_number=True), Column("taken"), Column("caption"), Column("file"))


def print_results(rows: Rows, console: Console, draw: Drawer | None = None) -> None:
    """A record of score, time, caption and path for each picture; with `draw` each picture, and the same below it."""
    if draw is None:
        print_records(console, COLUMNS, map(_cells, rows))
    else:
        for row in rows:
            print_picture(row, console, draw)


def _cells(row: Mapping[str, Any]) -> list[Cell]:
    return [
        score_cell(row.get("score")),
        Cell(minute_taken(row), row.get("taken_at") or ""),
        Cell(row.get("caption") or ""),
        file_cell(row["uri"]),
    ]


def score_cell(score: float | None) -> Cell:
    """A cosine similarity; empty where nothing was compared."""
    return Cell("" if score is None else f"{score:.3f}")


def print_answers(texts: Sequence[str], found: Sequence[SearchResult], console: Console) -> None:
    """A record for each result of several questions, which begins with its question."""
    rows = [[Cell(text), *_cells(row)] for text, result in zip(texts, found, strict=True) for row in result.to_dicts()]
    print_records(console, (Column("query"), *COLUMNS), rows)


def nothing(conditions: Sequence[str], least: float | None = None) -> str:
    """The sentence for no results; `least` is the similarity that they had to have."""
    if least is not None:
        among = f" among the pictures that match {' and '.join(conditions)}" if conditions else ""
        return f"Nothing fits{among}: no picture has a similarity of at least {least:.3f}."
    return f"No picture in the collection matches {' and '.join(conditions)}." if conditions else "Nothing was found."


def print_picture(row: Mapping[str, Any], console: Console, draw: Drawer) -> None:
    """One picture, where it can be drawn, and below it what is known of it."""
    picture = draw(row)
    if picture is not None:
        console.print(picture)
    cells = [cell for cell in _cells(row) if cell.text]
    console.print(Text("  ").join(Text(cell.text, cell.style) for cell in cells), soft_wrap=True)
    console.print()


def page_sections(result: SearchResult) -> list[Section]:
    """The picture that was searched by, where there is one, then the results."""
    if result.picture is None:
        return [Section("", result.to_dicts())]
    return [Section("This picture", [{"uri": result.picture.uri}]), Section("Most alike first", result.to_dicts())]


def page_note(count: int, conditions: Sequence[str], what: str = "picture") -> str:
    """What a page says below its title: how many there are, and what was asked of them."""
    return " · ".join([counted(count, what), *conditions])


WIDTH = 24
# What is sent for each picture is this many pixels wide and high at most: no more than is kept of it.
PIXELS = THUMBNAIL


def drawer(console: Console, wanted: bool | None) -> Drawer | None:
    """What turns a row of a result into something that `console` can print (None for a file that cannot be read).

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

    store = kept_here(load_settings())

    def draw(row: Mapping[str, Any]) -> RenderableType | None:
        jpeg = thumbnail(row, PIXELS, store)
        return None if jpeg is None else Image(io.BytesIO(jpeg), width=WIDTH, height="auto")

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
