"""The terms of a question as a person writes them: `beach + dog - people`, `2:dog`, `./pool.jpg + night`."""

import re
from dataclasses import dataclass
from pathlib import Path

from producer.formatting import is_text
from producer.search.pictures import PictureFile, open_picture
from settings.errors import WrongUse

# A sign stands between spaces, or before a word: the hyphen of a T-shirt is none, nor the minus of -5.
_SIGN = re.compile(r'"[^"]*"|(?:^|(?<=\s))([+-])(?=\s|$|[^\W\d]|["./~])')
# The number of a time or of a ratio is none: 12:30, 16:9.
_WEIGHT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?):\s*(?=[^\d\s])")
_FILE = re.compile(r"(~|\.{1,2})?/")
MOST_TERMS = 20


@dataclass(frozen=True)
class Term:
    """One part of a question: words, or a picture file, or a point of the collection by its id.

    `weight` says how much it counts, below 0 for what is taken away.
    """

    weight: float
    words: str | None = None
    picture: PictureFile | None = None
    point: str | None = None


def terms_of(text: str, files: bool) -> list[Term]:
    """The terms of a text; with `files` one that begins with /, ./, ../ or ~/ is a picture of this machine.

    Raises WrongUse for a text without words, a sign without a term, a weight of 0, and a picture that cannot be read.
    """
    if not text.strip():
        raise WrongUse("Say what to search for, in a few words.")
    if not is_text(text) and not files:
        raise WrongUse(f"{text!r} holds bytes that are no UTF-8: say in other words what to search for.")
    return [_term(sign, part.strip(), files) for sign, part in _parts(text)]


def _parts(text: str) -> list[tuple[float, str]]:
    parts: list[tuple[float, str]] = []
    sign, start = 1.0, 0
    for found in _SIGN.finditer(text):
        if found[1] is None:  # inside quotation marks nothing is a sign
            continue
        parts.append((sign, text[start : found.start()]))
        sign, start = (1.0 if found[1] == "+" else -1.0), found.end()
    parts.append((sign, text[start:]))
    if len(parts) > 1 and not parts[0][1].strip():  # the text begins with a sign
        parts = parts[1:]
    if not all(part.strip() for _, part in parts):
        raise WrongUse(f"{text!r} has a + or - with no term behind it: put the whole text in quotes to mean the sign.")
    return parts


def _term(sign: float, part: str, files: bool) -> Term:
    weight = 1.0
    if found := _WEIGHT.match(part):
        weight, part = float(found[1]), part[found.end() :]
        if not weight:
            raise WrongUse(f"The term {part!r} has the weight 0: leave it out.")
    if files and _FILE.match(part):
        return Term(sign * weight, picture=open_picture(Path(part)))
    if not is_text(part):
        raise WrongUse(f"{part!r} holds bytes that are no UTF-8: say in other words what to search for.")
    if len(part) > 2 and part[0] == part[-1] == '"':
        part = part[1:-1]
    if not part.strip():
        raise WrongUse("Say what to search for, in a few words.")
    return Term(sign * weight, words=part)


def checked(terms: list[Term]) -> tuple[Term, ...]:
    """The terms of one question; raises WrongUse for too many of them, or where all are taken away."""
    if len(terms) > MOST_TERMS:
        raise WrongUse(f"A question has {MOST_TERMS} terms at most, not {len(terms)}.")
    if terms and all(term.weight < 0 for term in terms):
        raise WrongUse("Say what to search for, not only what to leave out: 'beach - people'.")
    return tuple(terms)
