"""What the boxes of AVIF and HEIF say, and their decoders in Pillow do not look at: the crop, the size, a brand."""

import struct
from fractions import Fraction

from PIL import Image

from pictures.codecs.boxes import properties_of_main
from pictures.codecs.pillow import opened
from pictures.picture import LoadError, Reserve, check_size

# The decoder of AVIF takes no more pixels than these, and no longer sides (libavif's own limits).
_MOST_AVIF_PIXELS, _LONGEST_AVIF_SIDE = 16384 * 16384, 32768
# Its decoder for HEIF opens these brands and knows more.
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}


def open_avif(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of an AVIF with a crop, None for any other; raises LoadError for one that is too large."""
    properties = properties_of_main(data)
    crop, size = properties.get(b"clap"), properties.get(b"ispe")
    if size is not None and size.end - size.start >= 12:
        width, height = struct.unpack_from(">II", data, size.start + 4)
        check_size(width, height, max_pixels)
        if width * height > _MOST_AVIF_PIXELS or max(width, height) > _LONGEST_AVIF_SIDE:
            raise LoadError("decode", f"a kind of AVIF that Darkroom does not read ({width} x {height} pixels)")
    if crop is None or crop.end - crop.start < 32:
        return None
    image = opened(data, "AVIF", max_pixels, reserve)
    box = _crop_box(struct.unpack_from(">8I", data, crop.start), image.size)
    return image if box is None else image.crop(box)


def open_heif(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of a HEIF under a brand that its decoder does not take, None for any other."""
    if data[8:12] in _HEIF_BRANDS or "HEIF" not in Image.OPEN:
        return None
    return opened(data[:8] + b"mif1" + data[12:], "HEIF", max_pixels, reserve)


def _crop_box(numbers: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The pixels that the clean aperture leaves (ISO/IEC 14496-12, 12.1.4); None if it is not within the picture.

    It is a width, a height, and how far its middle is from that of the picture, as fractions.
    """
    if not all(numbers[1::2]):
        return None
    signed = [number - (1 << 32) if number >= 1 << 31 else number for number in numbers]
    width, height, right, down = (Fraction(signed[at], signed[at + 1]) for at in range(0, 8, 2))
    left = Fraction(size[0]) / 2 + right - width / 2
    top = Fraction(size[1]) / 2 + down - height / 2
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > size[0] or top + height > size[1]:
        return None
    return int(left), int(top), int(left) + int(width), int(top) + int(height)
