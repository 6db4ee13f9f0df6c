"""JPEG XL, by the plugin pillow-jxl, which decodes while it opens: so the size is read from the header first."""

from fractions import Fraction

from PIL import ExifTags, Image

from pictures.codecs.boxes import boxes
from pictures.codecs.pillow import opened
from pictures.picture import LoadError, Reserve, check_size

_CODESTREAM = b"\xff\x0a"
# How wide a picture is, in its height (ISO/IEC 18181-1, the size header); 0 means that the width stands there too.
_RATIOS = (
    0,
    Fraction(1),
    Fraction(12, 10),
    Fraction(4, 3),
    Fraction(3, 2),
    Fraction(16, 9),
    Fraction(5, 4),
    Fraction(2),
)
_LENGTHS = (9, 13, 18, 30)


def open_jpeg_xl(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image:
    """The picture of a JPEG XL; raises LoadError, or what the plugin raises for damaged data."""
    try:
        import pillow_jxl  # noqa: F401  # it registers itself
    except ImportError:
        raise LoadError(
            "decode", "a JPEG XL needs the package pillow-jxl-plugin, which is not installed here"
        ) from None
    width, height = size_of(data)
    check_size(width, height, max_pixels)
    image = opened(data, "JXL", max_pixels, reserve)
    # What was packed from a JPEG is that JPEG again. Of any other the decoder has turned the pixels, and what EXIF says
    # of it does not count (ISO/IEC 18181-2).
    exif = image.getexif()
    if not getattr(image, "jpeg", False) and ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
        image.info["exif"] = exif.tobytes()
    return image


def size_of(data: bytes) -> tuple[int, int]:
    """The width and the height that the codestream begins with."""
    stream = data
    if not data.startswith(_CODESTREAM):
        found = next((box for box in boxes(data, 0, len(data)) if box.name in (b"jxlc", b"jxlp")), None)
        if found is None:
            raise ValueError("a JPEG XL without a codestream")
        stream = data[found.start + (4 if found.name == b"jxlp" else 0) : found.end]
    # The bits follow the two bytes of the signature, the lowest one first.
    bits, at = int.from_bytes(stream[2:14], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & ((1 << count) - 1)

    def length(is_small: bool) -> int:
        return (take(5) + 1) * 8 if is_small else take(_LENGTHS[take(2)]) + 1

    is_small = bool(take(1))
    height = length(is_small)
    ratio = _RATIOS[take(3)]
    return int(height * ratio) if ratio else length(is_small), height
