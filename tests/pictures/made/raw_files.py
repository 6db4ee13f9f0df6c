"""RAW files written by hand: a TIFF structure with a mosaic of what a sensor would have seen, and perhaps a preview."""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Entry = tuple[int, int, Sequence[int | Fraction] | bytes]
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED_RATIONAL = 1, 2, 3, 4, 5, 7, 10
_CODES = {BYTE: "B", ASCII: "s", SHORT: "H", LONG: "I", RATIONAL: "II", UNDEFINED: "s", SIGNED_RATIONAL: "ii"}
# From XYZ to linear sRGB (IEC 61966-2-1), ten thousandths: a sensor that sees as a screen shows.
_SCREEN = (32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572)


# What tells the kinds apart: how the file begins, and its maker's name.
_KINDS = {
    "DNG": (b"II*\0", b"", "Darkroom"),
    "NEF": (b"II*\0", b"", "NIKON CORPORATION"),
    "CR2": (b"II*\0", b"CR\x02\0" + bytes(4), "Canon"),
    "ARW": (b"II*\0", b"", "SONY"),
    "ORF": (b"IIRO", b"", "OLYMPUS"),
    "RW2": (b"IIU\0", b"", "Panasonic"),
    "RAW": (b"II*\0", b"", "PENTAX"),
}
# Of these LibRaw reads the sensor's data as they are written here; the others have a packing of their own.
DEVELOPED = ("DNG", "NEF", "CR2", "RAW")


def raw_file(
    form: str,
    picture: Image.Image,
    orientation: int = 1,
    preview: bytes | None = None,
    exif: Sequence[Entry] = (),
    xmp: bytes = b"",
    beside: Sequence[Entry] = (),
    told: tuple[int, int] | None = None,
) -> bytes:
    """A file of this kind whose sensor saw `picture` as it lies there.

    The mosaic is 16 bits a pixel, uncompressed, red in the upper left corner. `preview` is a JPEG, which then stands in
    the first directory, the mosaic in one below it. `beside` are entries beside the mosaic; `told` is the size that
    a RAF tells of its sensor.
    """
    if form == "RAF":
        assert preview is not None
        return _raf(picture, preview, told or picture.size)
    magic, more, make = _KINDS[form]
    mosaic = _mosaic(picture).tobytes()
    sensor: list[Entry] = [
        *_strip(picture.size, [16], 1, 32803, len(mosaic)),  # a colour filter array
        (33421, SHORT, [2, 2]),
        (33422, BYTE, bytes([0, 1, 1, 2])),
        *([(50714, LONG, [0]), (50717, LONG, [65535])] if form == "DNG" else []),  # black and white
        *beside,
    ]
    about: list[Entry] = [
        (271, ASCII, make.encode() + b"\0"),
        (272, ASCII, f"{make} One".encode() + b"\0"),
        (274, SHORT, [orientation]),
        *([(700, BYTE, xmp)] if xmp else []),
    ]
    if form == "DNG":
        about += [
            (50706, BYTE, bytes([1, 4, 0, 0])),
            (50708, ASCII, f"{make} One".encode() + b"\0"),
            (50721, SIGNED_RATIONAL, [Fraction(value, 10_000) for value in _SCREEN]),
            (50728, RATIONAL, [Fraction(1)] * 3),  # what the sensor saw is white as it is
            (50778, SHORT, [21]),  # by daylight, D65
        ]
    if preview is None:
        return _tiff(magic, more, [*sensor, *about], mosaic, [], b"", exif)
    with Image.open(io.BytesIO(preview)) as opened:
        small = _strip(opened.size, [8, 8, 8], 7, 6, len(preview))
    return _tiff(magic, more, [*small, *about], preview, sensor, mosaic, exif)


def _raf(picture: Image.Image, preview: bytes, told: tuple[int, int]) -> bytes:
    """Fujifilm's own: a header of offsets, a JPEG with the EXIF, a table of sizes, the mosaic."""
    sizes = struct.pack(">I", 2) + b"".join(struct.pack(">HHHH", tag, 4, told[1], told[0]) for tag in (0x100, 0x121))
    start = 148
    offsets = struct.pack(">4I", start, len(preview), start + len(preview), len(sizes))
    begin = start + len(preview) + len(sizes)
    mosaic = _mosaic(picture).tobytes()
    head = b"FUJIFILMCCD-RAW 0201" + bytes(8) + b"Darkroom One".ljust(32, b"\0") + b"0100" + bytes(20)
    return (head + offsets + struct.pack(">2I", begin, len(mosaic))).ljust(start, b"\0") + preview + sizes + mosaic


def _strip(size: tuple[int, int], bits: list[int], compression: int, photometric: int, length: int) -> list[Entry]:
    """The entries of a directory for one strip; all but where it lies."""
    return [
        (254, LONG, [0 if photometric == 32803 else 1]),
        (256, LONG, [size[0]]),
        (257, LONG, [size[1]]),
        (258, SHORT, bits),
        (259, SHORT, [compression]),
        (262, SHORT, [photometric]),
        (277, SHORT, [len(bits)]),
        (278, LONG, [size[1]]),
        (279, LONG, [length]),
    ]


def _mosaic(picture: Image.Image) -> NDArray[np.uint16]:
    values = np.asarray(picture.convert("RGB")).astype(np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    colour = np.add.outer(np.arange(picture.height) % 2, np.arange(picture.width) % 2)
    seen = np.take_along_axis(linear, colour[:, :, None], axis=2)[:, :, 0]
    return np.round(seen * 65535).astype("<u2")


def _tiff(
    magic: bytes, more: bytes, first: list[Entry], data: bytes, below: list[Entry], mosaic: bytes, exif: Sequence[Entry]
) -> bytes:
    """Header, both strips of data, then the directories: `below` and the EXIF one are named by the first."""
    body = magic + bytes(4) + more
    start = len(body)
    body += data + mosaic
    body += bytes(len(body) % 2)
    first = [*first, (273, LONG, [start])]
    if below:
        at = len(body)
        body += directory([*below, (273, LONG, [start + len(data)])], at)
        first.append((330, LONG, [at]))
    if exif:
        at = len(body)
        body += directory(exif, at)
        first.append((34665, LONG, [at]))
    at = len(body)
    return body[:4] + struct.pack("<I", at) + body[8:] + directory(first, at)


def directory(entries: Sequence[Entry], at: int) -> bytes:
    """One directory that will lie at this offset, its longer values behind it."""
    after = at + 2 + 12 * len(entries) + 4
    table, values = b"", b""
    for tag, kind, value in sorted(entries, key=lambda entry: entry[0]):
        packed, count = _packed(kind, value)
        if len(packed) > 4:
            packed += bytes(len(packed) % 2)
            table += struct.pack("<HHII", tag, kind, count, after + len(values))
            values += packed
        else:
            table += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
    return struct.pack("<H", len(entries)) + table + bytes(4) + values


def _packed(kind: int, value: Sequence[int | Fraction] | bytes) -> tuple[bytes, int]:
    if isinstance(value, bytes):
        return value, len(value)
    numbers = [part for each in value for part in (each.as_integer_ratio() if len(_CODES[kind]) == 2 else (each,))]
    return struct.pack(f"<{len(numbers)}{_CODES[kind][0]}", *numbers), len(value)
