"""A contact sheet: one HTML page with everything inside it, that opens anywhere and never asks a server."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from producer.formatting import facts_line, shown
from producer.pages.rendering import render

# The width and height that a thumbnail on a page has at most, in pixels: a card's width on a screen of double density.
THUMBNAIL = 400
# The same for a picture that a browser does not show by itself, so that it can be looked at; some 150 kB each.
PREVIEW = 1024
PREVIEWS = 200
# A link is made only of these, so that no name in a collection can become a script.
LINKED = ("file", "http", "https")
# What a browser shows; any other file it saves instead.
SHOWN = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP")
Jpegs = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Section:
    """Some pictures under one heading, "" for none; a row is {"uri", "score", "caption", ...}, only uri is a must."""

    heading: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Card:
    """One picture as the page shows it; "" is what is not known, `jpeg` and the larger `preview` are in base64."""

    link: str
    jpeg: str
    score: str
    caption: str
    path: str
    folder: str
    name: str
    facts: str
    is_saved: bool
    preview: str


def contact_sheet(
    title: str,
    note: str,
    sections: Sequence[Section],
    thumbnails: Jpegs,
    previews: Jpegs = MappingProxyType({}),
) -> str:
    """The page as text; `thumbnails` maps a URI to its JPEG, None or missing where the file could not be read.

    `previews` does so with larger ones, for files that a browser does not show.

    Titles, captions and names may hold anything: all of it is shown and none of it is markup.
    """
    return render(
        "contact_sheet.html",
        title=title,
        note=note,
        sections=[
            (
                section.heading,
                [_card(row, thumbnails, previews) for row in section.rows],
            )
            for section in sections
        ],
    )


def is_saved(row: Mapping[str, Any]) -> bool:
    """True for a file that most browsers save and do not show."""
    return bool(row.get("format")) and row["format"] not in SHOWN


def _card(row: Mapping[str, Any], thumbnails: Jpegs, previews: Jpegs) -> Card:
    uri, score = row["uri"], row.get("score")
    path = shown(uri)
    folder, _, name = path.rpartition("/")
    return Card(
        link=uri if urlsplit(uri).scheme in LINKED else "",
        jpeg=base64.b64encode(thumbnails.get(uri) or b"").decode(),
        score="" if score is None else f"{score:.3f}",
        caption=row.get("caption") or "",
        path=path,
        folder=folder,
        name=name,
        facts=facts_line(row),
        is_saved=is_saved(row),
        preview=base64.b64encode(previews.get(uri) or b"").decode(),
    )
