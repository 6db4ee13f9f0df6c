"""GIF: keeps what the first picture needs, and counts the rows of one that is cut off."""

import io
import re
import struct

from PIL import Image

from pictures.repair.remains import Remains

_HEADER = 13
# Of a picture, of an extension, and of the end.
_BEGINNING = re.compile(rb"[,!;]")
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_DISPOSAL = 0b00011100
_INTERLACED = 0b01000000


def first_picture(data: bytes) -> bytes:
    """The same file up to the first picture without what is to happen after that, for which a decoder takes memory.

    What stands between the header and the picture is written anew: it means the same to every decoder.
    """
    picture = _first_picture(data)
    if picture is None:
        return data[:_HEADER] + b";"
    start, extensions = picture
    return b"".join([data[: _palette_end(data)], *extensions, data[start:]])


def is_whole(data: bytes) -> bool:
    """True for a GIF that has the end of its first picture; decoders do not miss what comes after that."""
    picture = _first_picture(data)
    return picture is None or _pixels_end(data, picture[0]) is not None


def remains(data: bytes) -> Remains | None:
    """What is there of a GIF whose first picture is cut off; None if its pixels are damaged."""
    picture = _first_picture(data)
    if picture is None or _pixels_end(data, picture[0]) is not None:
        return None
    start, _ = picture
    height = int.from_bytes(data[start + 7 : start + 9], "little")
    # A picture that claims fewer rows is decoded without an error if these are there.
    there, claim = 0, height
    while there < claim:
        middle = (there + claim + 1) // 2
        if _has_rows(data, start, middle):
            there = middle
        else:
            claim = middle - 1
    return Remains(data, there / height if height else None)


def _has_rows(data: bytes, start: int, rows: int) -> bool:
    flags = data[start + 9] & ~_INTERLACED
    picture = bytes(4) + data[start + 5 : start + 7] + struct.pack("<HB", rows, flags)
    header = data[:6] + struct.pack("<HH", 1, 1) + data[10 : _palette_end(data)]
    try:
        with Image.open(io.BytesIO(header + b"," + picture + data[start + 10 :]), formats=["GIF"]) as image:
            image.load()
    except Exception:  # whatever a decoder raises for the end of its data
        return False
    return True


def _palette_end(data: bytes) -> int:
    flags = data[10] if len(data) > 10 else 0
    return _HEADER + (3 << (flags & 7) + 1 if flags & 128 else 0)


def _first_picture(data: bytes) -> tuple[int, list[bytes]] | None:
    """Where the first picture begins, and the extensions before it; None if there is no picture."""
    at = _palette_end(data)
    extensions: list[bytes] = []
    # Decoders pass over what is nothing, of which a file with a hole may have megabytes.
    while (found := _BEGINNING.search(data, at)) and found.start() + 10 < len(data) and found[0] != b";":
        at = found.start()
        if found[0] == b",":
            return at, extensions
        end = _blocks_end(data, at + 2)
        if end is None:
            return None
        label, first = data[at + 1], data[at + 3 : at + 3 + data[at + 2]]
        if label == _CONTROL and len(first) >= 4:
            extensions.append(b"!\xf9\x04" + bytes([first[0] & ~_DISPOSAL]) + first[1:4] + b"\0")
        elif first and label in (_COMMENT, _APPLICATION) and not first.startswith(b"NETSCAPE2.0"):
            extensions.append(data[at:end])
        at = end
    return None


def _pixels_end(data: bytes, start: int) -> int | None:
    flags = data[start + 9]
    return _blocks_end(data, start + 11 + (3 << (flags & 7) + 1 if flags & 128 else 0))


def _blocks_end(data: bytes, at: int) -> int | None:
    """Where a row of blocks ends, behind its last one, which is empty; None if the file ends before."""
    while at < len(data):
        if not data[at]:
            return at + 1
        at += data[at] + 1
    return None
