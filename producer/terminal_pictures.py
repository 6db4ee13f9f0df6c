"""Small pictures in terminals that can show them, and nothing but text in all others."""

import io
import logging
import os
import sys
from collections.abc import Callable

from rich.console import Console, RenderableType

from producer.thumbnails import thumbnail
from tasks.errors import ServiceMissing

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
                "Pictures in the terminal need packages that are not installed: run `pip install 'darkroom[pictures]'`."
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
