"""The kinds of BMP: every depth, header and order of rows, packed by runs, and channels in bits of any number."""

import struct
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.pictures.kinds.kind import SIDE, Kind, rounded, scene, shown
from tests.pictures.kinds.tiff_file import Samples

_UNPACKED, _RUNS_8, _RUNS_4, _BIT_FIELDS, _ALPHA_FIELDS = 0, 1, 2, 3, 6
_ORDER = {False: "bottom up", True: "top down"}
# Bits a pixel, and the masks of red, green, blue and alpha.
FIELDS = {
    "565": (16, (0xF800, 0x07E0, 0x001F, 0)),
    "555": (16, (0x7C00, 0x03E0, 0x001F, 0)),
    "444 and alpha": (16, (0x0F00, 0x00F0, 0x000F, 0xF000)),
    "1555": (16, (0x7C00, 0x03E0, 0x001F, 0x8000)),
    "BGR 565": (16, (0x001F, 0x07E0, 0xF800, 0)),
    "332": (16, (0x00E0, 0x001C, 0x0003, 0)),
    "888": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "8888": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "RGBA": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "XBGR": (32, (0xFF00, 0xFF0000, 0xFF000000, 0)),
    "10 10 10": (32, (0x3FF00000, 0x000FFC00, 0x000003FF, 0)),
    "10 10 10 2": (32, (0x3FF00000, 0x000FFC00, 0x000003FF, 0xC0000000)),
    "11 11 10": (32, (0xFFE00000, 0x001FFC00, 0x000003FF, 0)),
}


def all_kinds() -> Iterator[Kind]:
    """Every kind of BMP."""
    for bits, header, top_down in product((1, 4, 8), (12, 40, 64, 108, 124), (False, True)):
        if header == 12 and top_down:
            continue
        table, stored = _palette(bits)
        yield Kind(
            f"BMP palette u{bits} header {header} {_ORDER[top_down]}",
            partial(bmp_file, _lines(stored[..., None], bits), bits, header, top_down, _table(table, header)),
            table[stored].astype(float),
        )
    for bits, header, top_down in product((24, 32), (12, 40, 108, 124), (False, True)):
        if header == 12 and (top_down or bits == 32):
            continue
        three = np.round(scene() * 255).astype(np.int64)[..., ::-1]
        channels = three if bits == 24 else np.concatenate([three, np.zeros((SIDE, SIDE, 1), np.int64)], axis=2)
        yield Kind(
            f"BMP u{bits} header {header} {_ORDER[top_down]}",
            partial(bmp_file, _lines(channels, 8), bits, header, top_down),
            shown(scene()),
        )
    five_bits = FIELDS["555"][1]
    yield Kind("BMP u16 without fields", partial(bmp_file, _fields(five_bits, 16), 16, 40, False), _seen(five_bits))
    for (name, (bits, masks)), header, top_down in product(FIELDS.items(), (40, 56, 108, 124), (False, True)):
        if masks[3] and header == 40:
            continue
        yield Kind(
            f"BMP {name} header {header} {_ORDER[top_down]}",
            partial(bmp_file, _fields(masks, bits), bits, header, top_down, packing=_BIT_FIELDS, masks=masks),
            _seen(masks),
            1.5,
        )
    four = FIELDS["444 and alpha"][1]
    yield Kind(
        "BMP 444 and alpha header 40 with four masks",
        partial(bmp_file, _fields(four, 16), 16, 40, False, packing=_ALPHA_FIELDS, masks=four),
        _seen(four),
        1.5,
    )
    for bits, packing in ((4, _RUNS_4), (8, _RUNS_8)):
        table, stored = _palette(bits)
        yield Kind(
            f"BMP palette u{bits} by runs",
            partial(bmp_file, _runs(stored, bits), bits, 40, None, _table(table, 40), packing),
            table[stored].astype(float),
        )


def bmp_file(
    lines: bytes,
    bits: int,
    header: int,
    top_down: bool | None,
    table: bytes = b"",
    packing: int = _UNPACKED,
    masks: tuple[int, ...] = (),
) -> bytes:
    """The bytes of a BMP; `lines` go from top to bottom, None leaves them as they are."""
    if top_down is False:
        step = len(lines) // SIDE
        lines = b"".join(lines[at : at + step] for at in range(len(lines) - step, -1, -step))
    height = -SIDE if top_down else SIDE
    if header == 12:
        info = struct.pack("<IHHHH", 12, SIDE, SIDE, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, SIDE, height, 1, bits, packing, len(lines), 2835, 2835, 0, 0)
        info = (info + struct.pack("<4I", *masks) if masks and header >= 56 else info).ljust(header, b"\0")
    behind = b"".join(struct.pack("<I", mask) for mask in masks[: 4 if packing == _ALPHA_FIELDS else 3])
    before = info + (behind if masks and header == 40 else b"") + table
    return struct.pack("<2sIII", b"BM", 14 + len(before) + len(lines), 0, 14 + len(before)) + before + lines


def _palette(bits: int) -> tuple[NDArray[np.uint8], Samples]:
    image = Image.fromarray(np.round(scene() * 255).astype(np.uint8)).quantize(2**bits)
    table = np.zeros((2**bits, 3), np.uint8)
    known = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[: 2**bits]
    table[: len(known)] = known
    return table, np.asarray(image).astype(np.int64)


def _table(table: NDArray[np.uint8], header: int) -> bytes:
    entries = table[:, ::-1]
    if header != 12:
        entries = np.concatenate([entries, np.zeros((len(table), 1), np.uint8)], axis=1)
    return entries.tobytes()


def _lines(values: Samples, bits: int) -> bytes:
    """The rows from top to bottom, each a multiple of four bytes."""
    lines = []
    for row in values:
        line = np.packbits((row.reshape(-1)[:, None] >> np.arange(bits - 1, -1, -1)) & 1).tobytes()
        lines.append(line + bytes(-len(line) % 4))
    return b"".join(lines)


def _fields(masks: tuple[int, ...], bits: int) -> bytes:
    pixels = np.zeros((SIDE, SIDE), np.int64)
    for channel, mask in enumerate(masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            values = scene()[..., channel] if channel < 3 else _alpha()
            pixels |= np.round(values * (mask >> shift)).astype(np.int64) << shift
    return pixels.astype(f"<u{bits // 8}").tobytes()


def _alpha() -> NDArray[np.float64]:
    """Opaque at the left, clear at the right: what a single bit can say."""
    alpha = np.ones((SIDE, SIDE))
    alpha[:, SIDE // 2 :] = 0
    return alpha


def _seen(masks: tuple[int, ...]) -> NDArray[np.float64]:
    channels = [rounded(scene()[..., place], mask.bit_count()) for place, mask in enumerate(masks[:3])]
    return shown(np.stack(channels, axis=2), _alpha() if masks[3] else None)


def _runs(stored: Samples, bits: int) -> bytes:
    """Each row from the bottom as runs of one pixel value, then the mark of the end of the line."""
    packed = b""
    for row in stored[::-1]:
        values = row.tolist()
        while values:
            length = next((place for place, value in enumerate(values) if value != values[0]), len(values))
            packed += bytes([length, values[0] * 17 if bits == 4 else values[0]])
            values = values[length:]
        packed += b"\0\0"
    return packed + b"\0\1"
