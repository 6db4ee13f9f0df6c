"""TIFF: which of its directories is the picture, and what Pillow does not read right of it, by tifffile."""

import io
import logging
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pictures.codecs.samples import Numbers, SampleKind, eight_bits, span_of
from pictures.codecs.tiff_colour import lab_of, picture_of
from pictures.codecs.tiff_layout import Layout, layout_of, reads_right
from pictures.picture import LoadError, Pixels, Reserve, check_size
from pictures.signature import CUT_OFF

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_ICC, _XMP, _IPTC = 34675, 700, 33723
# The tags that tell about a picture, for files in which Pillow does not find them.
_FACTS = (270, 271, 272, 274, 306, 315, 33432, 40091, 40092, 40094, 40095)
_MOST_DIRECTORIES = 8
# Four channels of 32 bits, or two of 64.
_MOST_BYTES_A_PIXEL = 16
# It tells the log about every odd tag, without the name of the file.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)


def open_tiff(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of a TIFF, None if Pillow reads it right; raises LoadError, or what tifffile raises for damage.

    The tags decide which of the two reads a file, and not a try: planes of 16 bits, for example, are noise to Pillow
    without an error.
    """
    try:
        import tifffile
    except ImportError:
        raise LoadError("decode", "a TIFF needs the package tifffile, which is not installed here") from None

    try:
        tiff = tifffile.TiffFile(io.BytesIO(data))
        page = _picture_page(tiff)
        layout = layout_of(page)
    except Exception:  # a broken directory may raise anything; Pillow reads over more of it, or says that it is broken
        return None
    if page is tiff.pages.first and reads_right(layout, data[:4]) and _is_known_to_pillow(data):
        return None
    _check_claims(page, layout, max_pixels)
    # What is reserved counts pixels of up to four bytes; the numbers are held twice where all are in one strip.
    reserve(layout.width * layout.height * max(1, layout.bytes_a_pixel // 2))
    image = _read(page, layout, len(data))
    image.info["exif"] = _exif(tiff, data)
    for name, tag in (("icc_profile", _ICC), ("xmp", _XMP), ("iptc", _IPTC)):
        value = page.tags.valueof(tag) or tiff.pages.first.tags.valueof(tag)
        if isinstance(value, bytes):
            image.info[name] = value
    return image


def _check_claims(page: "TiffPage", layout: Layout, max_pixels: int) -> None:
    """Raise LoadError for more than the limit or for what nothing reads, before memory is taken."""
    check_size(layout.width, layout.height, max_pixels)
    if page.is_tiled:
        check_size(page.tilewidth, page.tilelength, max_pixels)
    if layout.problem:
        raise unreadable(layout)
    size = layout.width * layout.height * layout.bytes_a_pixel
    if size > max_pixels * _MOST_BYTES_A_PIXEL:
        raise LoadError(
            "decode", f"{size:,} bytes of samples are more than {_MOST_BYTES_A_PIXEL} for each of ingest.max_pixels"
        )


def _is_known_to_pillow(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]):
            return True
    except Exception:  # then tifffile reads it, or names its kind
        return False


def unreadable(layout: Layout) -> LoadError:
    """The error that a sound file of this kind is not read."""
    return LoadError("decode", f"a kind of TIFF that Darkroom does not read ({layout.problem or layout.words})")


def _picture_page(tiff: "TiffFile") -> "TiffPage":
    """The first directory that is a picture in full size, wherever it stands.

    Scanners and cameras put a small copy into the first one, marked as such, and the picture below it or behind it.
    """
    first = tiff.pages.first
    if not _is_copy(first):
        return first
    below = first.pages[:_MOST_DIRECTORIES] if first.pages is not None else []
    pages = [page for page in (*tiff.pages[1:_MOST_DIRECTORIES], *below) if isinstance(page, type(first))]
    found = [page for page in pages if not _is_copy(page)]
    return max(found, key=lambda page: page.imagewidth * page.imagelength, default=first)


def _is_copy(page: "TiffPage") -> bool:
    return bool(int(page.subfiletype) & 0b101)  # reduced, or a mask


def _read(page: "TiffPage", layout: Layout, size: int) -> Image.Image:
    try:
        numbers = _numbers(page, layout)
    except Exception as error:  # the decoders raise more than they document
        if any(start + length > size for start, length in zip(page.dataoffsets, page.databytecounts)):
            raise LoadError("decode", CUT_OFF) from None
        if isinstance(error, NotImplementedError) or "not supported" in str(error):
            raise unreadable(layout) from None
        raise
    colour, alpha = numbers[..., : layout.colours], numbers[..., layout.colours :]
    del numbers
    opaque = None
    if alpha.size:
        opaque = alpha[..., 0].astype(np.uint8) if layout.fixed_span else _eight_bits(alpha[..., 0], layout.kind)
    del alpha
    if layout.is_lab:
        colour = lab_of(layout, colour)
    elif not layout.is_palette and not layout.fixed_span:
        # The numbers of many bytes are given back before the picture is made of the new ones.
        colour = _eight_bits(colour, layout.kind)
    return picture_of(layout, page.colormap, colour, opaque)


def _eight_bits(numbers: Numbers, kind: SampleKind) -> Pixels:
    return eight_bits(numbers, span_of(numbers, kind))


def _numbers(page: "TiffPage", layout: Layout) -> Numbers:
    """The numbers of the channels that are looked at, (height, width, channels): colours, and perhaps the alpha.

    They have eight bits already where their range does not depend on the picture.
    """
    span = layout.fixed_span
    # Channels that follow each other need no copy.
    count = len(layout.channels)
    channels = slice(count) if layout.channels == list(range(count)) else layout.channels
    numbers = np.zeros((layout.height, layout.width, count), np.uint8 if span else layout.dtype)
    for segment, (plane, depth, top, left, _), shape in page.segments(maxworkers=1):
        if segment is None:
            raise ValueError("a strip or a tile is missing")
        if depth:  # of a volume the first slice
            continue
        if layout.is_of_triples:
            segment = _triples(segment, page.parent.byteorder)
        bottom, right = min(top + shape[1], layout.height), min(left + shape[2], layout.width)
        part = segment[0, : bottom - top, : right - left]
        if layout.is_planar:
            if plane in layout.channels:
                numbers[top:bottom, left:right, layout.channels.index(plane)] = _narrow(part[..., 0], span)
        else:
            numbers[top:bottom, left:right] = _narrow(part[..., channels], span)
    return numbers


def _narrow(part: Numbers, span: tuple[float, float] | None) -> Numbers:
    return eight_bits(part, span) if span else part


def _triples(numbers: Numbers, order: str) -> Numbers:
    """Numbers of three bytes, which tifffile takes for a row of bits, but which have the order of bytes of the file."""
    if order == ">":
        return numbers.byteswap()
    whole = numbers.astype(np.uint32)
    return (whole & 0xFF) << 16 | whole & 0xFF00 | whole >> 16


def _exif(tiff: "TiffFile", data: bytes) -> bytes:
    """The file itself, which is built like EXIF; of a BigTIFF, which is not, the tags of its first directory."""
    if not tiff.is_bigtiff:
        return data
    exif = Image.Exif()
    for tag in _FACTS:
        value = tiff.pages.first.tags.valueof(tag)
        if isinstance(value, str | bytes | int):
            exif[tag] = value
    return exif.tobytes()
