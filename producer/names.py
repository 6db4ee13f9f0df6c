"""Names as a person reads them, and commands as a person can paste them."""

import os
import shlex
from urllib.parse import unquote_to_bytes, urlsplit

from tasks.uris import split


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
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in path)


def brief(uri: str) -> str:
    """As `shown`, but from the working directory on where the file lies below it."""
    path = shown(uri)
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)


def command(*words: str) -> str:
    """A command of the producer, ready to paste: it reads the same settings file as this one was told to."""
    settings = os.environ.get("DARKROOM_SETTINGS")
    named = ["--settings", settings] if settings else []
    return shlex.join(["python", "-m", "producer", *named, *words])
