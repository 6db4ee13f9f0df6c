"""Recognises the format of bytes, and whether they are cut off."""

import io
import struct
from typing import Literal

from PIL import TiffImagePlugin

# The signatures of the standards; TIFF and ISO base media files contain several formats, which are told apart below.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\x0a", "JXL"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"\0MRM", "MRW"),
    (b"FOVb", "X3F"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"IIU\x00", "RW2"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
# The brands of ISO base media files (ISO/IEC 23008-12, annex B; AV1 image file format, 2).
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"crx ": "CR3"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf"), "HEIF"
)
# What says how a file is built, but not by which codec: HEIF or AVIF.
_COMMON_BRANDS = (b"mif1", b"mif2", b"msf1", b"miaf")

_DNG_VERSION, _PHOTOMETRIC, _SUB_IFDS, _MAKE, _SUBFILE_TYPE = 50706, 262, 330, 271, 254
# Tags of the offsets and the lengths of strips, and of tiles (TIFF 6.0).
_STRIPS = ((273, 279), (324, 325))
# Values of PhotometricInterpretation for sensor data: a colour filter array (TIFF/EP), LinearRaw (DNG 1.7).
_SENSOR_DATA = {32803, 34892}
_MAKERS = (("nikon", "NEF"), ("sony", "ARW"))
# Makers that hide the sensor's data of some cameras from the directories, in which then the preview alone stands.
_HIDING_MAKERS = ("sony", "kodak", "eastman kodak", "leaf", "sinar")
_TAIL = 4096

CUT_OFF = "the picture is cut off: its data end too early"


def format_of(data: bytes) -> str | None:
    """The format of the bytes by their signature, None if Darkroom does not know it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _brand_of(data)
    format_name = next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)
    if data[6:14] == b"HEAPCCDR":
        return "CRW"
    if format_name == "TIFF" and data[8:11] == b"CR\x02":
        return "CR2"
    if format_name == "TIFF" and data[8:12] in (b"IIII", b"MMMM"):  # Phase One
        return "RAW"
    return _raw_in_tiff(data) or format_name if format_name == "TIFF" else format_name


def ends_early(data: bytes, format_name: str | None) -> bool:
    """True if the file should have more bytes, as its format says."""
    match format_name:
        case "PNG":
            return b"IEND" not in data[-_TAIL:]
        case "JPEG":
            return b"\xff\xd9" not in data[-_TAIL:]
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return len(data) < 8 + int.from_bytes(data[4:8], "little")
        case "BMP":
            return len(data) < int.from_bytes(data[2:6], "little")
        case "AVIF" | "HEIF" | "CR3":
            return _boxes_end_early(data)
        case "TIFF" | "DNG" | "NEF" | "CR2" | "ARW" | "ORF" | "RW2" | "RAW":
            return _directories_end_early(data)
        case "RAF":
            # Offset and length of its JPEG, its table of sizes, its mosaic (as LibRaw reads them).
            numbers = [int.from_bytes(data[at : at + 4], "big") for at in range(84, 108, 4)]
            return any(sum(numbers[pair : pair + 2]) > len(data) for pair in (0, 2, 4))
        case _:
            return False


def _brand_of(data: bytes) -> str | None:
    size = min(int.from_bytes(data[:4], "big"), 256)
    # The major brand counts first, then the compatible brands; those of both codecs last.
    brands = [data[8:12]] + [data[start : start + 4] for start in range(16, size - 3, 4)]
    brands.sort(key=lambda brand: brand in _COMMON_BRANDS)
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)


def _raw_in_tiff(data: bytes) -> str | None:
    """The RAW format of a TIFF structure, None for an ordinary TIFF or a broken one."""
    try:
        first, others = _directories(data)
        if _DNG_VERSION in first:
            return "DNG"
        make = str(first.get(_MAKE, "")).lower()
        hides = first.get(_SUBFILE_TYPE) == 1 and not others and not first.next and make.startswith(_HIDING_MAKERS)
        if not hides and not any(directory.get(_PHOTOMETRIC) in _SENSOR_DATA for directory in (first, *others)):
            return None
    except Exception:  # a broken directory may raise anything; the decoder will say what is wrong with it
        return None
    return next((kind for maker, kind in _MAKERS if make.startswith(maker)), "RAW")


def _directories(
    data: bytes,
) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, list[TiffImagePlugin.ImageFileDirectory_v2]]:
    """The first directory of a TIFF structure, and its subdirectories."""
    stream = io.BytesIO(data)
    header = data[:16] if b"+" in data[2:4] else data[:8]
    if header[:4] not in TiffImagePlugin.PREFIXES:  # ORF and RW2 differ from TIFF only in the magic number
        header = (b"MM\0*" if header[:1] == b"M" else b"II*\0") + header[4:]
    first = TiffImagePlugin.ImageFileDirectory_v2(header)
    stream.seek(first.next)
    first.load(stream)
    others = []
    offsets = first.get(_SUB_IFDS, ())
    for offset in list(offsets if isinstance(offsets, tuple) else (offsets,))[:8]:
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        stream.seek(offset)
        directory.load(stream)
        others.append(directory)
    return first, others


def _directories_end_early(data: bytes) -> bool:
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    start = int.from_bytes(data[8:16] if b"+" in data[2:4] else data[4:8], order)
    if start + 2 > len(data):
        return True
    try:
        first, others = _directories(data)
        for directory in (first, *others):
            for offsets, lengths in _STRIPS:
                ends = zip(directory.get(offsets, ()), directory.get(lengths, ()))
                if any(offset + length > len(data) for offset, length in ends):
                    return True
    except Exception:  # a directory that cannot be read says nothing about the end
        return False
    return False


def _boxes_end_early(data: bytes) -> bool:
    start = 0
    while start + 8 <= len(data):
        size = int.from_bytes(data[start : start + 4], "big")
        if size == 1 and start + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, start + 8)
        if size == 0:  # this box ends with the file
            return False
        if size < 8:
            return True
        start += size
    return start != len(data)
