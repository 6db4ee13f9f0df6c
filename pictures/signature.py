"""Which format some bytes are in, whether they end where it says, and why a decoder refused them, in words."""

import io
import re
import struct
from typing import Literal

from PIL import TiffImagePlugin

from pictures.formats import RAW_KINDS

# The beginnings that a format's own standard prescribes; those with more than one kind of content are told further on.
_BEGINNINGS = (
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
# Offsets and lengths of strips, of tiles (TIFF 6.0).
_STRIPS = ((273, 279), (324, 325))
# Values of PhotometricInterpretation for what a sensor saw: a colour filter array (TIFF/EP), LinearRaw (DNG 1.7).
_SENSOR = {32803, 34892}
_MAKERS = (("nikon", "NEF"), ("sony", "ARW"))
_TAIL = 4096


def format_of(data: bytes) -> str | None:
    """The format that the bytes begin like, None for one that Darkroom does not know."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _brand_of(data)
    found = next((name for beginning, name in _BEGINNINGS if data.startswith(beginning)), None)
    if found == "TIFF" and data[8:11] == b"CR\x02":
        return "CR2"
    return _raw_in_tiff(data) or found if found == "TIFF" else found


def ends_early(data: bytes, form: str | None) -> bool:
    """True when the format says that there should be more bytes than there are."""
    match form:
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
    # The major brand first, then the compatible ones: "mif1" as the major one says HEIF or AVIF, so it counts last.
    brands = [data[8:12]] + [data[start : start + 4] for start in range(16, size - 3, 4)]
    found = [
        _BRANDS[brand] for brand in sorted(brands, key=lambda brand: brand in (b"mif1", b"msf1")) if brand in _BRANDS
    ]
    return found[0] if found else None


def _raw_in_tiff(data: bytes) -> str | None:
    """The kind of RAW that a TIFF structure holds, None for an ordinary TIFF or a broken one."""
    try:
        first, others = _directories(data)
        if _DNG_VERSION in first:
            return "DNG"
        if not any(directory.get(_PHOTOMETRIC) in _SENSOR for directory in (first, *others)):
            return None
        make = str(first.get(_MAKE, "")).lower()
    except Exception:  # whatever a broken directory raises; the decoder says what is wrong with it
        return None
    return next((kind for maker, kind in _MAKERS if make.startswith(maker)), "RAW")


def _directories(
    data: bytes,
) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, list[TiffImagePlugin.ImageFileDirectory_v2]]:
    """The first directory of a TIFF structure, and those that it says lie below it."""
    stream = io.BytesIO(data)
    header = data[:16] if b"+" in data[2:4] else data[:8]
    if header[:4] not in TiffImagePlugin.PREFIXES:  # ORF and RW2 differ in their magic number only
        header = (b"MM\0*" if header[:1] == b"M" else b"II*\0") + header[4:]
    first = TiffImagePlugin.ImageFileDirectory_v2(header)
    stream.seek(first.next)
    first.load(stream)
    others = []
    below = first.get(_SUB_IFDS, ())
    for offset in list(below if isinstance(below, tuple) else (below,))[:8]:
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        stream.seek(offset)
        directory.load(stream)
        others.append(directory)
    return first, others


def _directories_end_early(data: bytes) -> bool:
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    begin = int.from_bytes(data[8:16] if b"+" in data[2:4] else data[4:8], order)
    if begin + 2 > len(data):
        return True
    try:
        first, others = _directories(data)
        for directory in (first, *others):
            for offsets, lengths in _STRIPS:
                ends = zip(directory.get(offsets, ()), directory.get(lengths, ()))
                if any(offset + length > len(data) for offset, length in ends):
                    return True
    except Exception:  # nothing more can be said of a directory that cannot be read
        return False
    return False


def _boxes_end_early(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size == 0:  # this one reaches to the end, wherever that is
            return False
        if size < 8:
            return True
        at += size
    return at != len(data)


NO_PICTURE = "its content is not a picture format that Darkroom reads"
CUT_OFF = "the picture is cut off: its data end too early"

_ENDS = (
    "truncated",
    "end of file",
    "not enough",
    "expected to read",
    "unpack requires",
    "not large enough",
    "input/output error",
)
_UNSUPPORTED = re.compile(r"(?:unsupported|not supported|unknown|unimplemented)\b[\w\s.,()'-]{0,80}", re.IGNORECASE)


def reason_of(error: BaseException, data: bytes, form: str | None) -> str:
    """Why these bytes, which begin like `form`, could not be decoded; `error` is what the decoder raised."""
    text = str(error).strip().lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if form is None:
        return NO_PICTURE
    if "max_text" in text or "decompressed data too large" in text:
        return "a text or a colour profile inside it unpacks to more bytes than is safe"
    if isinstance(error, EOFError) or any(words in text for words in _ENDS) or ends_early(data, form):
        return CUT_OFF
    if form in RAW_KINDS:
        unknown = type(error).__name__ == "LibRawFileUnsupportedError"
        return f"its {form} data are damaged{', or from a camera that LibRaw does not know' if unknown else ''}"
    named = _UNSUPPORTED.search(str(error))
    if named and not isinstance(error, KeyError | AttributeError | TypeError | NameError):
        return f"its {form} data are damaged or of an uncommon kind: {named.group().strip(' .,')}"
    return f"its {form} data are damaged"
