"""The name of the lens in the maker notes of Canon and Olympus, where it stands as plain text."""

import struct
from collections.abc import Iterator
from contextlib import suppress

from PIL import ExifTags

from pictures.facts.exif import Tags, text_of
from pictures.facts.text import line

_ASCII, _LONG, _IFD_TYPE = 2, 4, 13
_CANON_LENS = 0x0095
_OLYMPUS_EQUIPMENT, _OLYMPUS_LENS = 0x2010, 0x0203


def lens_of_maker(tags: Tags) -> str:
    """The name of the lens, "" where the notes of the maker have none that can be read."""
    note = tags.get(ExifTags.Base.MakerNote)
    if isinstance(note, bytes):
        with suppress(Exception):
            make = tags.text(ExifTags.Base.Make).lower()
            return line(_canon(tags, note) if make.startswith("canon") else _olympus(note), 200)
    return ""


def _canon(tags: Tags, note: bytes) -> str:
    """A directory without a header; its offsets count from the beginning of EXIF."""
    block, order = tags.block()
    at = block.find(note)
    return _text(block, at, order, _CANON_LENS) if at >= 0 else ""


def _olympus(note: bytes) -> str:
    """A directory behind a header of 12 bytes, and in it one for the equipment; offsets count from the header."""
    if not note.startswith((b"OLYMPUS\0", b"OM SYSTEM\0")):
        return ""
    start = 16 if note.startswith(b"OM SYSTEM") else 12
    order = "<" if note[start - 4 : start - 2] == b"II" else ">"
    for tag, kind, value in _entries(note, start, order):
        if tag == _OLYMPUS_EQUIPMENT and kind in (_LONG, _IFD_TYPE):
            return _text(note, struct.unpack(f"{order}L", value)[0], order, _OLYMPUS_LENS)
    return ""


def _text(block: bytes, at: int, order: str, wanted: int) -> str:
    for tag, kind, value in _entries(block, at, order):
        if tag == wanted and kind == _ASCII:
            return text_of(value.partition(b"\0")[0])
    return ""


def _entries(block: bytes, at: int, order: str) -> Iterator[tuple[int, int, bytes]]:
    """Tag, type and bytes of each entry of a directory whose values are texts or single numbers of four bytes."""
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for number in range(count):
        tag, kind, length, value = struct.unpack_from(f"{order}HHL4s", block, at + 2 + 12 * number)
        if kind == _ASCII and length > 4:
            (place,) = struct.unpack(f"{order}L", value)
            value = block[place : place + length]
        yield tag, kind, value
