"""PNG and GIF: their metadata straight from the bytes, for Pillow leaves a part of them out."""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What one text may unpack to, and how many packed ones are unpacked: a file may hold thousands that are bombs.
MAX_TEXT_BYTES = 4 << 20
MAX_PACKED_TEXTS = 50
_XMP = "XML:com.adobe.xmp"
_RAW_PROFILE = "Raw profile type "
_PROFILE = re.compile(rb"\s*[^\n]*\n\s*\d+\s(.*)", re.DOTALL)
_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass
class Metadata:
    """The blocks of metadata in a file, each kind as often as it is there, and the texts by their keywords."""

    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def png_metadata(data: bytes) -> Metadata:
    """What the chunks of a PNG say; one that is broken is left out, for a checksum says nothing about the others."""
    found, left = Metadata(), MAX_PACKED_TEXTS
    for kind, chunk in _chunks(data):
        with suppress(Exception):
            if kind == b"eXIf":
                found.exif.append(chunk)
            elif kind == b"tEXt" or (kind in (b"zTXt", b"iTXt") and left):
                left -= kind != b"tEXt"
                _add_text(found, *_text(kind, chunk))
    return found


def gif_xmp(data: bytes) -> list[bytes]:
    """The XMP in a GIF: an application extension whose bytes are the packet itself, and a trailer of 258 bytes."""
    start = data.find(b"\x21\xff\x0bXMP DataXMP")
    if start < 0:
        return []
    end = data.find(b"\x01\xff\xfe", start)
    return [data[start + 14 : end if end >= 0 else len(data)]]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == bytes(4):  # a hole in the file, which has no chunks
            return
        if kind != b"IDAT":
            yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _text(kind: bytes, chunk: bytes) -> tuple[str, bytes, str]:
    """The keyword, the text as bytes, and the encoding of the text."""
    keyword, _, rest = chunk.partition(b"\0")
    encoding = "latin-1"
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        rest = rest.split(b"\0", 2)[2]
        encoding = "utf-8"
    else:
        packed, rest = kind == b"zTXt", rest[1:] if kind == b"zTXt" else rest
    return keyword.decode("latin-1"), _unpacked(rest) if packed else rest, encoding


def _unpacked(packed: bytes) -> bytes:
    text = zlib.decompressobj().decompress(packed, MAX_TEXT_BYTES + 1)
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError("a text that is too large")
    return text


def _add_text(found: Metadata, keyword: str, text: bytes, encoding: str) -> None:
    if keyword == _XMP:
        found.xmp.append(text)
    elif keyword.startswith(_RAW_PROFILE):
        _add_profile(found, keyword.removeprefix(_RAW_PROFILE).lower(), text)
    else:
        try:
            # Many programs write UTF-8 where the standard says Latin-1.
            decoded = text.decode("utf-8")
        except UnicodeDecodeError:
            decoded = text.decode(encoding, "replace")
        found.texts.setdefault(keyword, decoded)


def _add_profile(found: Metadata, name: str, text: bytes) -> None:
    """A block in hexadecimal digits, as ImageMagick, exiv2 and darktable write it: its name, its length, its digits."""
    form = _PROFILE.match(text)
    block = bytes.fromhex(form[1].decode("ascii")) if form is not None else b""
    if name == "xmp" or block.startswith(_XMP_HEADER):
        found.xmp.append(block.removeprefix(_XMP_HEADER))
    elif name in ("iptc", "8bim"):
        found.iptc.append(block)
    elif name in ("exif", "app1"):
        found.exif.append(block)
