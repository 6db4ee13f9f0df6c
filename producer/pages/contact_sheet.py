"""A contact sheet: one HTML page with everything inside it, that opens anywhere and never asks a server."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

from producer.formatting import facts_line, shown
from producer.pages.contact_sheet_style import STYLE

# The width and height that a thumbnail on a page has at most, in pixels: a card's width on a screen of double density.
THUMBNAIL = 400
# A link is made only of these, so that no name in a collection can become a script.
LINKED = ("file", "http", "https")
# No script can run, and nothing is fetched, whatever a caption says.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """Some pictures under one heading, "" for none; a row is {"uri", "score", "caption", ...}, only uri is a must."""

    heading: str
    rows: Sequence[Mapping[str, Any]]


def contact_sheet(title: str, note: str, sections: Sequence[Section], thumbnails: Mapping[str, bytes | None]) -> str:
    """The page as text; `thumbnails` maps a URI to its JPEG, None or missing where the file could not be read.

    Titles, captions and names may hold anything: all of it is shown and none of it is markup.
    """
    body = "".join(_section(section, thumbnails) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="Darkroom">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)} - Darkroom</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{_text(title)}</h1><p>{_text(note)}</p></header>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _section(section: Section, thumbnails: Mapping[str, bytes | None]) -> str:
    heading = f"<h2>{_text(section.heading)}</h2>\n" if section.heading else ""
    cards = "".join(_card(row, thumbnails.get(row["uri"])) for row in section.rows)
    rows = f"<ol>\n{cards}</ol>\n" if cards else '<p class="empty">Nothing matches.</p>\n'
    return f"<section>\n{heading}{rows}</section>\n"


def _card(row: Mapping[str, Any], jpeg: bytes | None) -> str:
    path = shown(row["uri"])
    folder, _, name = path.rpartition("/")
    caption = row.get("caption")
    if jpeg is None:
        frame = "<span>This file cannot be<br>read on this machine.</span>"
    else:
        source = base64.b64encode(jpeg).decode()
        alt = _text(caption or name)
        frame = f'<img loading="lazy" decoding="async" alt="{alt}" src="data:image/jpeg;base64,{source}">'
    score = row.get("score")
    number = "" if score is None else f'<span class="score" title="cosine similarity">{score:.3f}</span>'
    about = facts_line(row)
    inside = (
        f'<div class="frame">{frame}</div><div class="text">{number}'
        + (f'<p class="caption">{_text(caption)}</p>' if caption else "")
        + f'<p class="name" title="{_text(path)}">{_text(name or folder)}</p>'
        + (f'<p class="facts">{_text(about)}</p>' if about else "")
        + (f'<p class="facts">in {_text(folder)}</p>' if folder else "")
        + "</div>"
    )
    if urlsplit(row["uri"]).scheme in LINKED:
        inside = f'<a href="{escape(row["uri"])}">{inside}</a>'
    return f"<li>{inside}</li>\n"


def _text(value: object) -> str:
    # Lone surrogates cannot be written as UTF-8, and control characters have no place in a page.
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return escape("".join(letter if letter.isprintable() else " " for letter in text))
