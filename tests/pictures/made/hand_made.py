"""Files written by hand: what no encoder would write."""

import io
import struct
import zlib
from functools import cache

from PIL import Image


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A grey PNG that claims this size, made of these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


@cache
def bomb(millions: int = 100) -> bytes:
    """So many million zero bytes, packed into a thousandth of it."""
    packer, packed = zlib.compressobj(9), io.BytesIO()
    for _ in range(millions):
        packed.write(packer.compress(bytes(1_000_000)))
    packed.write(packer.flush())
    return packed.getvalue()


def claiming(data: bytes, form: str, width: int, height: int) -> bytes:
    """The file with another size in its header; its pixels stay as few as they are."""
    if form == "PNG":
        return png(width, height, chunk(b"IDAT", zlib.compress(b"\0")))
    own = Image.open(io.BytesIO(data)).size
    layout = {
        "JPEG": (">HH", (1, 0)),
        "GIF": ("<HH", (0, 1)),
        "BMP": ("<ii", (0, 1)),
        "AVIF": (">II", (0, 1)),
        "HEIF": (">II", (0, 1)),
        "JPEG2000": (">II", (1, 0)),
    }
    if form == "TIFF":  # each size is an entry of its own: tag, type LONG, one value
        for tag, was, size in ((256, own[0], width), (257, own[1], height)):
            data = data.replace(struct.pack("<HHII", tag, 4, 1, was), struct.pack("<HHII", tag, 4, 1, size))
            data = data.replace(struct.pack("<HHIHH", tag, 3, 1, was, 0), struct.pack("<HHII", tag, 4, 1, size))
        return data
    shape, (first, second) = layout[form]
    now = struct.pack(shape, own[first], own[second])
    assert now in data
    return data.replace(now, struct.pack(shape, (width, height)[first], (width, height)[second]))
