"""The texts of all facts: one line, no longer than a fact should be, with nothing in it that steers a terminal."""

from settings.plain_text import printable


def line(text: str, max_length: int) -> str:
    """The text in one line, cut at `max_length`."""
    # Half a pair of UTF-16 is no text; NUL stands between words in some files.
    valid = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(printable(" ".join(valid.split()), "").split())[:max_length].rstrip()
