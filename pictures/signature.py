"""Recognises the format of bytes, whether they are cut off, and why a decoder refused them, as a sentence."""

import io
import re
import struct
from typing import Literal

from PIL import TiffImagePlugin

from pictures.formats import RAW_KINDS

# The signatures of the standards; TIFF and ISO base media files contain several formats, which are told apart below.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"FUJIFILMCCD-RAW", "RAF"),
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
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"), "HEIF"
)

_DNG_VERSION, _PHOTOMETRIC, _SUB_IFDS, _MAKE = 50706, 262, 330, 271
# Tags of the offsets and the lengths of strips, and of tiles (TIFF 6.0).
_STRIPS = ((273, 279), (324, 325))
# Values of PhotometricInterpretation for sensor data: a colour filter array (TIFF/EP), LinearRaw (DNG 1.7).
_SENSOR_DATA = {32803, 34892}
_MAKERS = (("nikon", "NEF"), ("sony", "ARW"))
_TAIL = 4096


def format_of(data: bytes) -> str | None:
    """The format of the bytes by their signature, None if Darkroom does not know it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _brand_of(data)
    format_name = next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)
    if format_name == "TIFF" and data[8:11] == b"CR\x02":
        return "CR2"
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
    # The major brand counts first, then the compatible brands; mif1 and msf1 last, because they may be HEIF or AVIF.
    brands = [data[8:12]] + [data[start : start + 4] for start in range(16, size - 3, 4)]
    brands.sort(key=lambda brand: brand in (b"mif1", b"msf1"))
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)


def _raw_in_tiff(data: bytes) -> str | None:
    """The RAW format of a TIFF structure, None for an ordinary TIFF or a broken one."""
    try:
        first, others = _directories(data)
        if _DNG_VERSION in first:
            return "DNG"
        if not any(directory.get(_PHOTOMETRIC) in _SENSOR_DATA for directory in (first, *others)):
            return None
        make = str(first.get(_MAKE, "")).lower()
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


NO_PICTURE = "its content is not a picture format that Darkroom reads"
CUT_OFF = "the picture is cut off: its data end too early"

_CUT_OFF_MESSAGES = (
    "truncated",
    "end of file",
    "not enough",
    "expected to read",
    "unpack requires",
    "not large enough",
    "input/output error",
)
_UNSUPPORTED = re.compile(r"(?:unsupported|not supported|unknown|unimplemented)\b[\w\s.,()'-]{0,80}", re.IGNORECASE)


def reason_of(error: BaseException, data: bytes, format_name: str | None) -> str:
    """Why these bytes with the signature of `format_name` could not be decoded; `error` is the decoder's error."""
    text = str(error).strip().lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if format_name is None:
        return NO_PICTURE
    if "max_text" in text or "decompressed data too large" in text:
        return "a text or a colour profile inside it unpacks to more bytes than is safe"
    if (
        isinstance(error, EOFError)
        or any(words in text for words in _CUT_OFF_MESSAGES)
        or ends_early(data, format_name)
    ):
        return CUT_OFF
    if format_name in RAW_KINDS:
        is_unknown = type(error).__name__ == "LibRawFileUnsupportedError"
        return (
            f"its {format_name} data are damaged{', or from a camera that LibRaw does not know' if is_unknown else ''}"
        )
    unsupported = _UNSUPPORTED.search(str(error))
    if unsupported and not isinstance(error, KeyError | AttributeError | TypeError | NameError):
        return f"its {format_name} data are damaged or of an uncommon kind: {unsupported.group().strip(' .,')}"
    return f"its {format_name} data are damaged"
