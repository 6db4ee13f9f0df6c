"""What people wrote about a picture into its file: title, description and keywords, from XMP or else from IPTC."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from defusedxml import ElementTree
from PIL import Image, ImageFile, IptcImagePlugin

# A packet of a megabyte holds years of editing history; reading a larger one would cost more than the picture.
MAX_XMP_BYTES = 1_000_000
MAX_TITLE, MAX_DESCRIPTION, MAX_KEYWORD, MAX_KEYWORDS = 300, 3000, 100, 200

_DC = "{http://purl.org/dc/elements/1.1/}"
_LI = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Data sets of IPTC-IIM 4.2: coded character set, object name, keywords, caption.
_CHARSET, _TITLE, _KEYWORDS, _CAPTION = (1, 90), (2, 5), (2, 25), (2, 120)
_UTF8 = b"\x1b%G"


def description_of(image: Image.Image) -> dict[str, Any]:
    """title, description (both str) and keywords (list of str) of an opened picture.

    What is missing is left out, and so is what cannot be read or is hostile: it is no reason to lose a picture. Each
    field is taken from XMP where that has it, else from IPTC.
    """
    found: dict[str, Any] = {}
    sources: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: _from_iptc(image),
        lambda: from_xmp(image.info.get("xmp")),
    )
    for source in sources:
        with suppress(Exception):
            found |= source()
    return found


def from_xmp(packet: object) -> dict[str, Any]:
    """The same of an XMP packet; raises whatever the parser raises over one that is broken or declares entities."""
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or not packet or len(packet) > MAX_XMP_BYTES:
        return {}
    tree = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)

    def items(name: str) -> list[tuple[str, str]]:
        """Language and text of the items of each property of this name."""
        lists = [list(holder.iter(_LI)) for holder in tree.iter(_DC + name)]
        return [(item.get(_LANG, ""), item.text or "") for each in lists for item in each]

    def text(name: str) -> str:
        every = items(name)
        return next((text for language, text in every if language == "x-default"), every[0][1] if every else "")

    return _tidy(text("title"), text("description"), [text for _, text in items("subject")])


def _from_iptc(image: Image.Image) -> dict[str, Any]:
    records = IptcImagePlugin.getiptcinfo(image) if isinstance(image, ImageFile.ImageFile) else None
    if not records:
        return {}
    utf8 = records.get(_CHARSET) == _UTF8

    def texts(key: tuple[int, int]) -> list[str]:
        values = records.get(key, [])
        return [_decoded(value, utf8) for value in (values if isinstance(values, list) else [values])]

    title, caption = (next(iter(texts(key)), "") for key in (_TITLE, _CAPTION))
    return _tidy(title, caption, texts(_KEYWORDS))


def _decoded(value: bytes, utf8: bool) -> str:
    # Few programs of old said which characters they wrote; UTF-8 is told by itself, the rest was mostly Western.
    with suppress(UnicodeDecodeError):
        return value.decode("utf-8")
    return value.decode("utf-8" if utf8 else "cp1252", "replace")


def _tidy(title: str, description: str, keywords: Iterable[str]) -> dict[str, Any]:
    words = dict.fromkeys(word for word in (_line(keyword, MAX_KEYWORD) for keyword in keywords) if word)
    found = {
        "title": _line(title, MAX_TITLE),
        "description": _line(description, MAX_DESCRIPTION),
        "keywords": list(words)[:MAX_KEYWORDS],
    }
    return {name: value for name, value in found.items() if value}


def _line(text: str, longest: int) -> str:
    sound = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(sound.split())[:longest]
