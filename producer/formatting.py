"""Names, facts, sizes and times as a person reads them, and commands as a person can paste them."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from pictures.uris import split
from settings.plain_text import printable


def shown(uri: str) -> str:
    """The path of a file:// URI, any other address decoded, safe to print whatever bytes it has.

    A member of an archive is shown like a file in a folder: /path/pictures.zip/inner/name.jpg.
    """
    try:
        member, outer = split(uri)
    except ValueError:
        return uri
    parts = urlsplit(outer)
    address = parts.path if parts.scheme == "file" else outer
    path = os.fsdecode(unquote_to_bytes(address)) + (f"/{member}" if member else "")
    return printable(path)


def is_text(word: str) -> bool:
    """False for a word of a command line that holds bytes which are no UTF-8: Python keeps them as lone surrogates."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_text(word: str) -> None:
    """Raise ValueError with the reason where a word can be no message, for it is no text."""
    if not is_text(word):
        raise ValueError(f"{word!r} holds bytes that are no UTF-8")


def brief(uri: str) -> str:
    """As `shown`, but from the working directory on where the file lies below it."""
    path = shown(uri)
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)


def one_line(text: str) -> str:
    """The text without what would end a line, jump to a tab stop or steer a terminal."""
    return printable(text, " ")


def minute_taken(row: Mapping[str, Any]) -> str:
    """When a picture was taken, by the clock of its camera, to the minute; "" where that is not known."""
    return str(row.get("taken_at") or "")[:16].replace("T", " ")


def command(*words: str) -> str:
    """A command of the producer, ready to paste: below the same name and with the same settings file as this one."""
    return _command("producer", words)


def machine_command(*words: str) -> str:
    """The same for a command of the machines."""
    return _command("workers", words)


def _command(package: str, words: Iterable[str]) -> str:
    settings = os.environ.get("DARKROOM_SETTINGS")
    named = ["--settings", settings] if settings else []
    program = ["darkroom"] if Path(sys.argv[0]).stem == "darkroom" else ["python", "-m", package]
    return shlex.join([*program, *named, *words])


def counted(count: int, what: str) -> str:
    """A number of things in words: `1 file`, `1,200 files`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def in_words(names: Sequence[str], most: int = 3) -> str:
    """Some names in one line, the first ones of many: "a, b, c and 38 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def facts_line(row: Mapping[str, Any]) -> str:
    """Size, format, day, camera and bytes, as far as they are known: `400 x 300 · JPEG · 2024-05-31 · X100 · 2 MB`."""
    size = f"{row['width']} x {row['height']}" if row.get("width") and row.get("height") else None
    day = str(row["taken_at"])[:10] if row.get("taken_at") else None
    weight = readable_bytes(row["bytes"]) if row.get("bytes") else None
    return " · ".join(str(part) for part in (size, row.get("format"), day, row.get("camera"), weight) if part)


def readable_bytes(count: int) -> str:
    """A number of bytes as a person reads it, in powers of 1000: "2.1 MB"."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds in words: 1 h 5 m, 1 m 9 s, 9 s."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m {rest} s" if minutes else f"{rest} s"
