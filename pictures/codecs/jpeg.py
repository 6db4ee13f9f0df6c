"""JPEG of the kinds for which Pillow's decoder is not made: without loss, and of more than 8 bits."""

import re

import numpy as np
from PIL import Image

from pictures.codecs.jpeg_segments import EOI, SOS, segments_of
from pictures.codecs.pillow import opened
from pictures.picture import LoadError, Reserve, check_size

# Markers that begin a frame (ITU-T T.81, table B.1); the others of this range are tables.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FRAME_OR_NONE = {*_FRAMES, SOS, EOI}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
# The beginning of a frame without loss, or of another precision than 8 bits.
_UNUSUAL_FRAME = re.compile(rb"\xff(?:[\xc3\xc7\xcb\xcf]|[\xc0-\xc2\xc5\xc6\xc9\xca\xcd\xce]..[^\x08])", re.DOTALL)


def open_jpeg(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of such a JPEG, None for any other; raises LoadError, or what the decoder raises."""
    if is_plain(data):
        return None
    frame = next((each for each in segments_of(data) if each.marker in _FRAME_OR_NONE), None)
    if frame is None or frame.marker not in _FRAMES or frame.end - frame.start < 10:
        return None
    marker, start = frame.marker, frame.start
    bits = data[start + 4]
    height, width, channels = (
        int.from_bytes(data[start + at : start + to], "big") for at, to in ((5, 7), (7, 9), (9, 10))
    )
    if bits == 8 and marker in _LOSSLESS:
        # Scaled while decoding, as it is done with others, it fails.
        return opened(data, "JPEG", max_pixels, reserve)
    if bits <= 8:
        return None
    check_size(width, height, max_pixels)
    try:
        import imagecodecs
    except ImportError:
        raise LoadError(
            "decode", f"a JPEG of {bits} bits needs the package imagecodecs, which is not installed here"
        ) from None
    if channels not in (1, 3):
        raise LoadError("decode", f"a kind of JPEG that Darkroom does not read ({channels} channels, {bits} bits)")
    reserve(width * height * 2)
    pixels = imagecodecs.jpeg_decode(data)
    return Image.fromarray((pixels >> (bits - 8)).astype(np.uint8))


def is_plain(data: bytes) -> bool:
    """True for most JPEGs that are not of such a kind, told in a fourth of the time that going through them takes."""
    scan = data.find(b"\xff\xda")
    # With a second beginning there is a smaller picture in front, which may hold the scan that was found.
    return scan != -1 and data.find(b"\xff\xd8", 2, scan) == -1 and not _UNUSUAL_FRAME.search(data, 2, scan)
