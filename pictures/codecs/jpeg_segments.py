"""The segments of a JPEG: where each begins and ends, also where a length is wrong or bytes lie between two."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Markers (ITU-T T.81, table B.1): the start of a scan, and the end of the picture.
SOS, EOI = 0xDA, 0xD9
# APP0 to APP15 and comments: what stands beside the picture.
BESIDE = {*range(0xE0, 0xF0), 0xFE}
# A marker that ends the data of a scan: no stuffed zero, no restart (B.1.1).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# A length that is wrong by more bytes is not put right.
_NEAR = 64


class Segment(NamedTuple):
    """A marker, and where its segment begins and ends; the data of a scan are a part of its segment."""

    marker: int
    start: int
    end: int


def segments_of(data: bytes) -> Iterator[Segment]:
    """The segments behind the first marker, up to the end of the picture; bytes between them are passed over."""
    at = 2
    while match := _MARKER.search(data, at):
        start, marker = match.start(), data[match.start() + 1]
        if marker == EOI:
            yield Segment(marker, start, start + 2)
            return
        if not _is_segment(marker):
            at = start + 2
            continue
        at = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker == SOS:
            match = _MARKER.search(data, at)
            at = match.start() if match else len(data)
        elif marker in BESIDE and data[at : at + 1] != b"\xff":
            at = _end_nearby(data, start, at)
        if at > len(data):
            return
        yield Segment(marker, start, at)


def _is_segment(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF or 0xDA <= marker <= 0xEF or marker == 0xFE


def _end_nearby(data: bytes, start: int, claimed: int) -> int:
    """Where a segment ends whose length is a little wrong: where another one begins that leads to a third one.

    Not looked for further away: a segment may hold a small picture, which must not be taken for the picture.
    """
    for end in range(max(start + 2, claimed - _NEAR), min(len(data) - 4, claimed + _NEAR)):
        if data[end] == 0xFF and _is_segment(data[end + 1]):
            following = end + 2 + int.from_bytes(data[end + 2 : end + 4], "big")
            if data[following : following + 1] == b"\xff":
                return end
    return claimed
