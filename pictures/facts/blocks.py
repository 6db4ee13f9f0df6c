"""Where a file keeps its metadata: the blocks of EXIF, XMP and IPTC, and the texts of a PNG."""

import io
from contextlib import suppress
from dataclasses import dataclass, field

from PIL import ExifTags, Image

from pictures.facts.exif import exif_from, exif_of
from pictures.facts.png import gif_xmp, png_metadata
from pictures.formats import RAW_KINDS

# Tags of a TIFF structure that hold other blocks.
_XMP, _IPTC, _PHOTOSHOP = 700, 33723, 34377
_RESOURCE_OF_IPTC = 0x0404
# The position in a RAF file of the offset and the length of its JPEG (big-endian), as LibRaw reads it.
_RAF_JPEG = 84
# The boxes of a CR3 file that are TIFF structures: the main directory, the EXIF directory, the GPS directory.
_CR3_BOXES = ((b"CMT1", None), (b"CMT2", ExifTags.IFD.Exif), (b"CMT4", ExifTags.IFD.GPSInfo))
# The id of the box that contains XMP (XMP specification, part 3, 1.3.7).
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_CR3_HEADER_BYTES = 1 << 20


@dataclass
class Blocks:
    """EXIF, packets of XMP and blocks of IPTC, the ones that count first, and texts by their keywords."""

    exif: Image.Exif = field(default_factory=Image.Exif)
    xmp: list[object] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def blocks_of(data: bytes, format_name: str | None) -> Blocks:
    """The blocks of a file of this format, as far as they can be read."""
    if format_name == "PNG":
        return _of_png(data)
    if format_name == "GIF":
        return Blocks(xmp=[*gif_xmp(data)])
    if format_name == "CR3":
        return Blocks(_exif_of_cr3(data), [cr3_box(data, _XMP_BOX, 8)])
    if format_name == "RAF":
        start, length = (int.from_bytes(data[at : at + 4], "big") for at in (_RAF_JPEG, _RAF_JPEG + 4))
        return _of_image(data[start : start + length], "JPEG")
    if format_name == "TIFF" or format_name in RAW_KINDS:
        return _of_tiff(data, format_name)
    return _of_image(data, format_name) if format_name else Blocks()


def may_have_blocks(data: bytes) -> bool:
    """False for a JPEG without EXIF, XMP and IPTC: no marker of theirs (APP1, APP13) is before its first scan."""
    end = data.find(b"\xff\xda")
    return data.find(b"\xff\xe1", 0, end) != -1 or data.find(b"\xff\xed", 0, end) != -1


def _of_png(data: bytes) -> Blocks:
    found = png_metadata(data)
    exif = next((exif for block in found.exif if (exif := exif_from(block))), Image.Exif())
    return Blocks(exif, [*found.xmp], found.iptc, found.texts)


def _of_tiff(data: bytes, format_name: str) -> Blocks:
    if format_name == "MRW":
        data = data[data.index(b"\0TTW") + 8 :]
    # ORF and RW2 are TIFF structures with other magic numbers.
    if format_name in ("ORF", "RW2"):
        data = (b"MM\0*" if data[:2] == b"MM" else b"II*\0") + data[4:]
    exif = exif_from(data)
    if not exif:
        # Pillow reads a BigTIFF as a picture alone.
        return _of_image(data, "TIFF")
    iptc = []
    for tag in (_IPTC, _PHOTOSHOP):
        with suppress(Exception):
            if (block := _bytes(exif, tag)) is not None:
                iptc.append(block)
    return Blocks(exif, [_bytes(exif, _XMP)], iptc)


def _bytes(exif: Image.Exif, tag: int) -> bytes | None:
    """A block as it stands in the file, whatever type its tag claims: IPTC is noted as whole numbers."""
    info = exif._info
    with suppress(Exception):
        if info is not None and isinstance(found := info._tagdata.get(tag), bytes):
            return found
    value = exif.get(tag)
    return value if isinstance(value, bytes) else None


def _of_image(data: bytes, format_name: str) -> Blocks:
    """The blocks that Pillow finds beside the pixels, which are not decoded."""
    with Image.open(io.BytesIO(data), formats=[format_name]) as image:
        blocks = Blocks(exif_of(image), [image.info.get("xmp")])
        photoshop = image.info.get("photoshop")
        if isinstance(photoshop, dict) and isinstance(iptc := photoshop.get(_RESOURCE_OF_IPTC), bytes):
            blocks.iptc.append(iptc)
    return blocks


def _exif_of_cr3(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    for name, directory in _CR3_BOXES:
        box = cr3_box(data, name, 4)
        if box is None:
            continue
        if directory is None:
            exif.load(box)
        else:
            exif.get_ifd(directory).update(exif_from(box))
    return exif


def cr3_box(data: bytes, name: bytes, name_offset: int) -> bytes | None:
    """The content of the box whose name is `name_offset` bytes after its start; None if there is none."""
    start = data.find(name, 0, _CR3_HEADER_BYTES) - name_offset
    if start < 0:
        return None
    length = int.from_bytes(data[start : start + 4], "big")
    return data[start + name_offset + len(name) : start + length]
