"""PNG: leaves out broken chunks that are no part of the pixels, and measures what is there of one that is cut off."""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import PngImagePlugin

from pictures.repair.remains import Remains

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# What else is read, with the bytes that it has at least (PNG specification, 11.3). Animations have more chunks: without
# them a PNG is its first picture.
_LEAST = {b"tRNS": 1, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"iCCP": 4, b"zTXt": 3, b"iTXt": 5, b"tEXt": 2,
          b"eXIf": 8}  # fmt: skip
_NAME = re.compile(rb"[A-Za-z]{4}")
_KNOWN = re.compile(b"|".join((*_PIXELS, *_LEAST)))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column, first row, distance of columns, distance of rows of the seven passes (PNG specification, 8.2).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 1 << 20


class Chunk(NamedTuple):
    """A chunk: its name, where it begins and ends in the file, and whether its checksum is right."""

    name: bytes
    start: int
    end: int
    is_sound: bool


def is_whole(data: bytes) -> bool:
    """True for a PNG that has its last chunk; nothing of a picture stands behind that."""
    return data.rfind(b"IEND") >= 0


def has_sound_header(data: bytes) -> bool:
    """True if the chunks that say what the pixels are have the right checksums."""
    return all(chunk.is_sound for chunk in _chunks(data) if chunk.name in (b"IHDR", b"PLTE"))


def without_broken(data: bytes) -> Iterator[bytes]:
    """The same pixels without what is broken beside them; then without anything beside them."""
    chunks = list(_chunks(data))
    texts = 0
    kept = []
    for chunk in chunks:
        if chunk.name not in _PIXELS:
            size = _size_beside(data, chunk)
            texts += size or 0
            if size is None or texts > PngImagePlugin.MAX_TEXT_MEMORY:
                continue
        kept.append(chunk)
    yield _joined(data, kept)
    yield _joined(data, [chunk for chunk in kept if chunk.name in (*_PIXELS, b"tRNS")])


def remains(data: bytes) -> Remains | None:
    """What is there of a PNG whose pixels end early; None if they are damaged or too odd to say."""
    chunks = list(_chunks(data))
    header = next((data[chunk.start + 8 : chunk.start + 21] for chunk in chunks if chunk.name == b"IHDR"), b"")
    if len(header) < 13:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS.get(colour, 0)
    if not (width and height and bits):
        return None
    wanted = sum(rows * _row_bytes(columns, bits) for columns, rows in _passes(width, height, interlaced))
    there, unpacker = 0, zlib.decompressobj()
    try:
        for chunk in chunks:
            piece = _body(data, chunk) if chunk.name == b"IDAT" else b""
            while piece and there < wanted and not unpacker.eof:
                there += len(unpacker.decompress(piece, _PIECE))
                piece = unpacker.unconsumed_tail
    except zlib.error:
        return None
    if there < wanted and b"IDAT" not in data:
        return None
    return Remains(data, min(there, wanted) / wanted)


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks; bytes that are none, for example because the length before them is wrong, are passed over."""
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        chunk = _chunk(data, at)
        if chunk is None:
            found = (_chunk(data, match.start() - 4) for match in _KNOWN.finditer(data, at + 5))
            chunk = next((each for each in found if each is not None and (each.is_sound or each.name == b"IDAT")), None)
            if chunk is None:
                return
        yield chunk
        at = chunk.end


def _chunk(data: bytes, at: int) -> Chunk | None:
    """The chunk that begins here; None if none does."""
    length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
    end = at + 12 + length
    if not _NAME.fullmatch(name):
        return None
    if end > len(data):
        # The pixels of a file that is cut off; a length of another chunk that leads beyond the end is wrong.
        return Chunk(name, at, len(data), False) if name == b"IDAT" else None
    is_sound = zlib.crc32(memoryview(data)[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
    if is_sound or end == len(data) or _NAME.fullmatch(data, end + 4, end + 8):
        return Chunk(name, at, end, is_sound)
    return None


def _body(data: bytes, chunk: Chunk) -> bytes:
    length = int.from_bytes(data[chunk.start : chunk.start + 4], "big")
    return data[chunk.start + 8 : min(chunk.start + 8 + length, chunk.end)]


def _size_beside(data: bytes, chunk: Chunk) -> int | None:
    """The bytes that a chunk beside the pixels takes when it is unpacked; None if it cannot be read."""
    body = _body(data, chunk)
    if not chunk.is_sound or len(body) < _LEAST.get(chunk.name, len(body) + 1):
        return None
    if chunk.name == b"tRNS":
        colour = data[len(_SIGNATURE) + 8 + 9]
        return None if len(body) < {0: 2, 2: 6}.get(colour, 1) else 0
    packed = b""
    if chunk.name in (b"iCCP", b"zTXt", b"iTXt"):
        start = body.find(b"\0") + 1
        if not start or start >= len(body):
            return None
        if chunk.name != b"iTXt":
            if body[start]:  # another method than zlib
                return None
            packed = body[start + 1 :]
        elif body[start]:
            packed = body[start + 2 :].split(b"\0", 2)[-1]
    try:
        size = len(zlib.decompressobj().decompress(packed, PngImagePlugin.MAX_TEXT_CHUNK + 1)) if packed else len(body)
    except zlib.error:
        return None
    return size if size <= PngImagePlugin.MAX_TEXT_CHUNK else None


def _joined(data: bytes, chunks: list[Chunk]) -> bytes:
    return b"".join([_SIGNATURE, *(data[chunk.start : chunk.end] for chunk in chunks)])


def _passes(width: int, height: int, interlaced: int) -> list[tuple[int, int]]:
    """The columns and rows of each pass over the picture."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    return [
        (-(-max(0, width - left) // across), -(-max(0, height - top) // down)) for left, top, across, down in passes
    ]


def _row_bytes(columns: int, bits: int) -> int:
    # One byte before each row names its filter.
    return 1 + (columns * bits + 7) // 8 if columns else 0
