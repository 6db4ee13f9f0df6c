"""The kinds of PNG: every colour type and depth, in one pass and in seven, with what may be transparent."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.pictures.kinds.kind import SIDE, Kind, Values, opacity, rounded, scene, shown
from tests.pictures.kinds.tiff_file import Samples
from tests.pictures.made.hand_made import chunk

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
# Where the seven passes begin and how far their pixels are apart (PNG, 8.2): row, column, rows, columns.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def all_kinds() -> Iterator[Kind]:
    """Every kind of PNG."""
    for passes in (1, 7):
        for bits in (1, 2, 4, 8, 16):
            yield from greys(bits, passes)
        for bits in (8, 16):
            yield from colours(bits, passes)
        for bits in (1, 2, 4, 8):
            yield from palettes(bits, passes)


def greys(bits: int, passes: int) -> Iterator[Kind]:
    stored = np.round(scene()[..., 0] * (2**bits - 1)).astype(np.int64)
    values = rounded(scene()[..., 0], bits)
    yield _kind(f"grey u{bits}", passes, stored, bits, GREY, b"", shown(values))
    clear = int(np.bincount(stored.reshape(-1)).argmax())
    alpha = (stored != clear).astype(np.float64)
    yield _kind(
        f"grey u{bits} but one grey", passes, stored, bits, GREY, struct.pack(">H", clear), shown(values, alpha)
    )
    if bits >= 8:
        mixed = np.stack([stored, np.round(opacity() * (2**bits - 1)).astype(np.int64)], axis=2)
        yield _kind(f"grey u{bits} with alpha", passes, mixed, bits, GREY_ALPHA, b"", shown(values, opacity()))


def colours(bits: int, passes: int) -> Iterator[Kind]:
    stored = np.round(scene() * (2**bits - 1)).astype(np.int64)
    stored[:10, :10] = stored[0, 0]
    values = stored / (2**bits - 1)
    yield _kind(f"RGB u{bits}", passes, stored, bits, RGB, b"", shown(values))
    clear = stored[0, 0]
    alpha = (stored != clear).any(axis=2).astype(np.float64)
    yield _kind(
        f"RGB u{bits} but one colour", passes, stored, bits, RGB, struct.pack(">3H", *clear), shown(values, alpha)
    )
    mixed = np.concatenate([stored, np.round(opacity() * (2**bits - 1)).astype(np.int64)[..., None]], axis=2)
    yield _kind(f"RGB u{bits} with alpha", passes, mixed, bits, RGBA, b"", shown(values, opacity()))


def palettes(bits: int, passes: int) -> Iterator[Kind]:
    image = Image.fromarray(np.round(scene() * 255).astype(np.uint8)).quantize(2**bits)
    table = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[: 2**bits]
    stored = np.asarray(image).astype(np.int64)
    values = table[stored] / 255
    known = chunk(b"PLTE", table.tobytes())
    yield _kind(f"palette u{bits}", passes, stored, bits, PALETTE, b"", shown(values), known)
    clear = np.linspace(0, 255, len(table)).astype(np.uint8)
    yield _kind(
        f"palette u{bits} half clear", passes, stored, bits, PALETTE, clear.tobytes(),
        shown(values, clear[stored] / 255), known,
    )  # fmt: skip


def _kind(
    name: str, passes: int, stored: Samples, bits: int, colour: int, clear: bytes, pixels: Values, more: bytes = b""
) -> Kind:
    whole = name + (" in seven passes" if passes == 7 else "")
    return Kind(f"PNG {whole}", lambda: png_file(stored, bits, colour, clear, passes, more), pixels)


def png_file(stored: Samples, bits: int, colour: int, clear: bytes, passes: int, more: bytes) -> bytes:
    """The bytes of a PNG; its rows take turns with the first three filters."""
    values = stored[..., None] if stored.ndim == 2 else stored
    parts = [values] if passes == 1 else [values[row::rows, column::columns] for row, column, rows, columns in _PASSES]
    lines = [line for part in parts if part.size for line in _filtered(part, bits)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, bits, colour, 0, 0, passes == 7))
    transparent = chunk(b"tRNS", clear) if clear else b""
    data = chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + header + more + transparent + data + chunk(b"IEND", b"")


def _filtered(part: Samples, bits: int) -> Iterator[bytes]:
    step = max(1, part.shape[2] * bits // 8)
    above = None
    for place, row in enumerate(part):
        numbers = row.reshape(-1).astype(np.int64)
        line = np.packbits((numbers[:, None] >> np.arange(bits - 1, -1, -1)) & 1)
        kind = place % 3
        if kind == 1:
            yield b"\x01" + np.concatenate([line[:step], line[step:] - line[:-step]]).tobytes()
        elif kind == 2 and above is not None:
            yield b"\x02" + (line - above).tobytes()
        else:
            yield b"\x00" + line.tobytes()
        above = line
