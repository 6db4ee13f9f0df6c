"""Text as people see it: one form to store it in, and the words by which it is found.

The same letters can be written in several ways: an accent as a part of its letter or as a character behind it
(Unicode's NFC and NFD; macOS hands out the second), upper or lower case, `ß` or `ss`. People see no difference between
the first two, and ask for none between the others. Accents are letters: `cafe` is not `café`.
"""

import re
import unicodedata
from collections.abc import Iterator

# Scripts that put no space between words, or write what belongs to a word directly behind it, as Korean does: Thai,
# Lao, Myanmar, Khmer, Hangul, Kana, Bopomofo and the Han characters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
_RUNS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
# Hyphens, joiners, marks of direction and variants of a glyph: there, and not to be seen.
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]")


def nfc(text: str) -> str:
    """The text with each accent as a part of its letter, where Unicode has such a letter."""
    return unicodedata.normalize("NFC", text)


def forms(text: str) -> list[str]:
    """The ways in which the same text may have been stored: as it is, and with accents in and behind their letters."""
    return list(dict.fromkeys([text, nfc(text), unicodedata.normalize("NFD", text)]))


def fold(text: str) -> str:
    """What is the same for texts that differ in case alone."""
    if text.isascii():
        return text.lower()
    folded = nfc(unicodedata.normalize("NFD", text).casefold())
    # Turkish has two letters of which other languages have one; which of them is meant, only the language says.
    return folded.replace("i\u0307", "i").replace("\u0131", "i")


def stored_words(text: str) -> set[str]:
    """All by which a text is found: its words, and where these have no spaces between them, letters and their pairs."""
    found: set[str] = set()
    for run in _runs(text):
        found.update({*run, *_pairs(run)} if _IS_UNSPACED.match(run) else {run})
    return found


def asked_words(text: str) -> set[str]:
    """What a text must have, of its `stored_words`, to be found by these words; empty where there is no word."""
    found: set[str] = set()
    for run in _runs(text):
        found.update(_pairs(run) if _IS_UNSPACED.match(run) and len(run) > 1 else {run})
    return found


def has_unspaced(text: str) -> bool:
    """True for a text in which some words have no space between them."""
    return not text.isascii() and _IS_UNSPACED.search(text) is not None


def _runs(text: str) -> Iterator[str]:
    """The words of a text, folded; one of several scripts in parts."""
    if text.isascii():
        yield from re.findall(r"[a-z0-9]+", text.lower())
        return
    letters = (letter if _is_of_a_word(letter) else " " for letter in fold(_UNSEEN.sub("", text)))
    for word in "".join(letters).split():
        yield from _RUNS.findall(word)


def _is_of_a_word(letter: str) -> bool:
    # Many scripts write vowels as marks, which are no letters to Python.
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def _pairs(run: str) -> set[str]:
    return {run[place : place + 2] for place in range(len(run) - 1)}
