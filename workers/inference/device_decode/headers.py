"""Which bytes a device decodes to the same pixels as the CPU does, told without decoding them."""

import io
from dataclasses import dataclass

from PIL import Image, JpegImagePlugin

from pictures.codecs.jpeg import is_plain
from pictures.colour import is_srgb
from pictures.facts.exif import exif_of, orientation_of
from pictures.repair.jpeg import has_end
from pictures.signature import format_of

# A device takes memory for the whole picture: larger ones are few, and the CPU scales them down while it decodes.
MOST_PIXELS = 64_000_000
# The names that colours have in a JPEG of red, green and blue without a word about it, as libjpeg reads them.
_RGB_NAMES = [ord("R"), ord("G"), ord("B")]


@dataclass(frozen=True)
class Header:
    """What a JPEG says of itself: its size in pixels before it is turned, and its EXIF orientation (1 to 8)."""

    width: int
    height: int
    orientation: int


def device_header(data: bytes, max_pixels: int) -> Header | None:
    """The header of a JPEG for a device; None for what the CPU is to decode, to read it or to say what is wrong.

    That is every other format, kinds of JPEG that need care (12 bits, lossless, CMYK, another beginning inside), colour
    profiles other than sRGB, what lacks its end, and what is too large.
    """
    if format_of(data) != "JPEG" or not is_plain(data) or not has_end(data):
        return None
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
            width, height = image.size
            if width * height > min(max_pixels, MOST_PIXELS) or image.mode not in ("L", "RGB"):
                return None
            if not is_srgb(image.mode, image.info.get("icc_profile")) or _is_stored_as_rgb(image):
                return None
            return Header(width, height, orientation_of(exif_of(image)))
    except Exception:  # decoders raise many kinds for damaged data; the CPU says what is wrong with it
        return None


def _is_stored_as_rgb(image: Image.Image) -> bool:
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    return image.mode == "RGB" and (
        image.info.get("adobe_transform") == 0 or [layer[0] for layer in image.layer] == _RGB_NAMES
    )
