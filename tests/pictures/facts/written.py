"""Pictures in which somebody has written something, and what the product reads of it."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

from PIL import ExifTags, Image

from tests.pictures.made.pictures import encoded, quarters, seen

Tags = dict[Any, Any]
CHARSET, TITLE, KEYWORD, DATE, TIME, CAPTION = (1, 90), (2, 5), (2, 25), (2, 55), (2, 60), (2, 120)
DataSets = Sequence[tuple[tuple[int, int], bytes]]


def exif_block(base: Tags, detail: Tags | None = None, place: Tags | None = None) -> bytes:
    """An EXIF block with these tags."""
    exif = Image.Exif()
    exif.update(base)
    exif.get_ifd(ExifTags.IFD.Exif).update(detail or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    return exif.tobytes()


def iptc_block(records: DataSets) -> bytes:
    """IPTC data sets among the resources of Photoshop."""
    block = b"".join(struct.pack(">BBBH", 0x1C, *key, len(value)) + value for key, value in records)
    return b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(block)) + block + bytes(len(block) % 2)


def jpeg(exif: bytes = b"", packet: bytes = b"", iptc: DataSets = ()) -> bytes:
    """A JPEG with these blocks."""
    options: dict[str, Any] = {name: block for name, block in (("exif", exif), ("xmp", packet)) if block}
    if iptc:
        segment = b"Photoshop 3.0\0" + iptc_block(iptc)
        options["extra"] = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    return encoded(quarters(), "JPEG", **options)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with these chunks, each a kind and its content, between its header and its pixels."""
    data = encoded(quarters(), "PNG")
    end_of_header = 8 + 25
    inside = b"".join(
        struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return data[:end_of_header] + inside + data[end_of_header:]


def gif(packet: bytes) -> bytes:
    """A GIF with a packet of XMP before its picture (XMP specification, part 3, 1.1.2)."""
    data = encoded(quarters(), "GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return b"GIF89a" + data[6:start] + b"\x21\xff\x0bXMP DataXMP" + packet + trailer + data[start:]


def with_exif(base: Tags, detail: Tags | None = None, place: Tags | None = None) -> dict[str, Any]:
    """The facts of a JPEG with these tags."""
    return seen(jpeg(exif_block(base, detail, place))).facts


def with_xmp(packet: bytes, form: str = "JPEG") -> dict[str, Any]:
    """The facts of a picture with this packet."""
    if form == "GIF":
        return seen(gif(packet)).facts
    if form == "PNG":
        return seen(png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))).facts
    options = {"tiffinfo": {700: packet}} if form == "TIFF" else {"xmp": packet}
    return seen(encoded(quarters(), form, **options)).facts


def with_iptc(records: DataSets, packet: bytes = b"") -> dict[str, Any]:
    """The facts of a JPEG with these IPTC data sets, and perhaps XMP."""
    return seen(jpeg(packet=packet, iptc=records)).facts
