"""WebP: tells its size, leaves out what is broken beside the picture, and measures what is there of one cut off."""

import io
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from PIL import Image

from pictures.picture import Pixels
from pictures.repair.remains import Remains, share_alike

_PIXELS = (b"VP8X", b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
_NAMES = re.compile(b"|".join(_PIXELS))
# What may stand beside the picture, and the flag of VP8X that promises it.
_BESIDE = {b"ICCP": 0b00100000, b"EXIF": 0b00001000, b"XMP ": 0b00000100}


# The side of a block, and how far its edges are smoothed into those before it (RFC 6386, 15).
_BLOCKS = ((16, 16), 8)
_PIXEL = ((1, 1), 0)
_MORE = 1024
# Short, so that what a decoder makes of them ends before the data do.
_NOISES = [random.Random(length).randbytes(length) for length in (1, 4, 5, 16)]
# In so many bytes an animation's picture says what it is.
_HEAD = 64


class Chunk(NamedTuple):
    """A chunk of RIFF: its name, where its content begins, and how long that is to be."""

    name: bytes
    start: int
    size: int

    @property
    def end(self) -> int:
        """Where the next chunk begins: at an even place."""
        return self.start + self.size + self.size % 2


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header says, before a decoder takes memory for them."""
    name, body = data[12:16], data[20:30]
    if name == b"VP8X" and len(body) == 10:
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if name == b"VP8L" and body[:1] == b"\x2f":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def without_broken(data: bytes) -> Iterator[bytes]:
    """The same pixels with what can be read beside them; then with nothing beside them."""
    chunks = list(_chunks(data))
    # What is cut off would be taken for a shorter picture.
    for names in ((*_PIXELS, *_BESIDE), _PIXELS) if is_whole(data) else ():
        yield _joined(data, [chunk for chunk in chunks if chunk.name in names])


def is_whole(data: bytes) -> bool:
    """True unless the pixels end early, which a decoder may not notice for the last bytes."""
    return all(chunk.end - chunk.size % 2 <= len(data) for chunk in _chunks(data) if chunk.name in _PIXELS)


def remains(data: bytes) -> Remains | None:
    """What is there of a WebP that ends early, of an animation its first picture; None for one that does not.

    The missing end is filled up in several ways: where the pixels differ, there were none.
    """
    if len(data) >= 8 + int.from_bytes(data[4:8], "little"):
        return None
    kept = []
    for chunk in _chunks(data):
        kept.append(chunk)
        if chunk.name in (b"VP8 ", b"VP8L", b"ANMF"):
            break
    else:
        return Remains(data, None)
    lacking = kept[-1].end - len(data)
    if lacking <= 0:
        return Remains(_joined(data, kept), 1.0)
    head = data[: kept[-1].start + _HEAD]
    is_lossless = b"VP8L" in head
    if not is_lossless and len(data) < _blocks_begin(head, kept[-1]):
        return Remains(data, None)
    # Not as many bytes as the chunk claims, which may be 4 GB, but more than a decoder takes for the noise.
    lacking = min(lacking, 8 * len(data)) + _MORE
    kept[-1] = kept[-1]._replace(size=len(data) - kept[-1].start + lacking)
    one = _joined(data + bytes(lacking), kept)
    shares = []
    with suppress(Exception):  # too little is there for a decoder to begin
        pixels = _pixels(one)
        for noise in _NOISES:
            other = _joined(data + noise.ljust(lacking, b"\0"), kept)
            with suppress(Exception):  # this noise means nothing
                shares.append(share_alike(pixels, _pixels(other), *(_PIXEL if is_lossless else _BLOCKS)))
    return Remains(one, min(shares, default=None))


def _blocks_begin(head: bytes, chunk: Chunk) -> int:
    """Where the first block begins, behind what is said about all of them (RFC 6386, 9.1)."""
    start = head.find(b"\x9d\x01\x2a", chunk.start) - 3
    return start + 10 + (int.from_bytes(head[start : start + 3], "little") >> 5)


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks; one whose length is wrong ends where the next one with pixels begins."""
    at = 12
    while at + 8 <= len(data):
        chunk = Chunk(data[at : at + 4], at + 8, int.from_bytes(data[at + 4 : at + 8], "little"))
        if chunk.name not in _PIXELS and (chunk.end > len(data) or not _is_name(data[chunk.end : chunk.end + 4])):
            match = _NAMES.search(data, at + 4)
            if match is None:
                return
            at = match.start()
            continue
        yield chunk
        at = chunk.end


def _is_name(name: bytes) -> bool:
    return not name or all(32 <= each < 127 for each in name)


def _joined(data: bytes, chunks: list[Chunk]) -> bytes:
    parts = []
    absent = sum(flag for name, flag in _BESIDE.items() if all(chunk.name != name for chunk in chunks))
    for chunk in chunks:
        body = data[chunk.start : chunk.start + chunk.size]
        if chunk.name == b"VP8X" and body:
            body = bytes([body[0] & ~absent]) + body[1:]
        parts.append(chunk.name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2))
    joined = b"WEBP" + b"".join(parts)
    return b"RIFF" + len(joined).to_bytes(4, "little") + joined


def _pixels(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
        return np.asarray(image).reshape(image.height, image.width, -1)
