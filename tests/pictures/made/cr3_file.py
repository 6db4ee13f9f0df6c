"""A Canon CR3 file written by hand: boxes with the EXIF, a preview, and a track that claims what its sensor saw."""

import struct
from collections.abc import Sequence

from tests.pictures.made.raw_files import ASCII, SHORT, Entry, directory

_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_PREVIEWS = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def cr3_file(
    size: tuple[int, int],
    preview: bytes,
    orientation: int = 1,
    exif: Sequence[Entry] = (),
    place: Sequence[Entry] = (),
    xmp: bytes = b"",
    small: bytes = b"",
) -> bytes:
    """A file whose sensor is of this size; its data are missing, for nobody but Canon can pack them.

    `preview` is the large one at the end, `small` the one near the beginning.
    """
    about: list[Entry] = [(256, SHORT, [size[0]]), (257, SHORT, [size[1]])]
    about += [(271, ASCII, b"Canon\0"), (272, ASCII, b"Canon EOS R5\0"), (274, SHORT, [orientation])]
    boxes = [_box(b"CMT1", _tiff(about)), _box(b"CMT2", _tiff(exif)), *([_box(b"CMT4", _tiff(place))] if place else [])]
    head = _box(b"ftyp", b"crx " + struct.pack(">I", 1) + b"crx isom")
    packet = _box(b"uuid", _XMP + xmp) if xmp else b""
    if small:
        told = struct.pack(">IHHHHI", 0, 1, *size, 1, len(small))
        packet += _box(b"uuid", _PREVIEWS, struct.pack(">II", 0, 1), _box(b"PRVW", told, small))

    def film(offset: int) -> bytes:
        sensor = struct.pack(">4xHxx4IBBBBI12x", 0x100, *size, *size, 14, 4 << 4, 0, 0, 1)
        tracks = _track(_box(b"JPEG", bytes(4)), offset, preview), _track(_box(b"CMP1", sensor), offset, preview)
        return _box(b"moov", _box(b"uuid", _CANON, *boxes), *tracks)

    offset = len(head) + len(film(0)) + len(packet) + 8
    return head + film(offset) + packet + _box(b"mdat", preview)


def _track(kind: bytes, offset: int, data: bytes) -> bytes:
    table = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), _box(b"CRAW", bytes(82), kind)),
        _box(b"stsz", struct.pack(">III", 0, len(data), 1)),
        _box(b"co64", struct.pack(">IIQ", 0, 1, offset)),
    )
    return _box(b"trak", _box(b"mdia", _box(b"hdlr", bytes(8), b"vide", bytes(13)), _box(b"minf", table)))


def _box(name: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + name + inside


def _tiff(entries: Sequence[Entry]) -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + directory(entries, 8)
