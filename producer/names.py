"""Names as a person reads them, and commands as a person can paste them."""

import os
import shlex
from urllib.parse import unquote_to_bytes, urlsplit


def shown(uri: str) -> str:
    """The path of a file:// URI, safe to print whatever bytes it has; any other URI as it is."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return uri
    path = os.fsdecode(unquote_to_bytes(parts.path))
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
