"""From bytes to pixels: a bounded and reduced decode for both models, upright sRGB, and the facts in the metadata."""

import io
import warnings
from collections.abc import Sequence

from PIL import Image, PngImagePlugin

from workers.gpu.colour import flat, in_srgb
from workers.gpu.description import description_of
from workers.gpu.metadata import exif_of, facts_of, orientation_of
from workers.gpu.picture import LoadError, Opened, Picture, check_size
from workers.gpu.preprocessing import Target, fit
from workers.gpu.raw import open_raw
from workers.gpu.reasons import reason_of
from workers.gpu.signature import RAW_KINDS, format_of

try:
    from pillow_heif import register_heif_opener

    register_heif_opener()
except ImportError:  # HEIC is then an unknown content like any other
    pass

# Pillow's own limit is a warning at one size and an error at twice it; ingest.max_pixels is checked instead.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\..*")
# Pillow refuses a PNG whose text unpacks to more than a megabyte; programs that draw pictures put whole scripts there.
PngImagePlugin.MAX_TEXT_CHUNK = 4 << 20

# Pillow reads more than this, but some of it by starting other programs (EPS runs Ghostscript), and a file of any
# content may be called .jpg.
Image.init()
_FORMATS: list[str] = [
    name for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000") if name in Image.OPEN
]

# The turn that makes a picture upright, by its EXIF orientation (EXIF 2.32, 4.6.4 A).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


def decode(data: bytes, max_pixels: int, clip: Target, blip: Target | None) -> Picture:
    """Decode bytes for the models; raises LoadError with the reason when they are no sound picture.

    The format is told by the content, never by the name. JPEGs are scaled while decoding (DCT scaling) down to the
    least size that no target has to enlarge; of a RAW file the preview is taken that its camera put there.
    """
    targets = [target for target in (clip, blip) if target]
    least = max(target.least[0] for target in targets), max(target.least[1] for target in targets)
    form = format_of(data)
    try:
        if form is not None and form in RAW_KINDS:
            opened = open_raw(data, form, max_pixels, least)
        else:
            opened = _open(data, max_pixels, least)
        with opened.image:
            return _pictured(opened, targets, blip is not None)
    except LoadError:
        raise
    except Exception as error:  # decoders raise far more over damaged data than they document, zlib.error for one
        raise LoadError("decode", reason_of(error, data, form)) from None


def _open(data: bytes, max_pixels: int, least: tuple[int, int]) -> Opened:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size
    check_size(width, height, max_pixels)
    form = "JPEG" if image.format == "MPO" else image.format or "unknown"
    if form == "JPEG":
        image.draft(None, least)
    image.load()
    exif = exif_of(image)
    return Opened(image, form, width, height, orientation_of(exif), facts_of(exif) | description_of(image))


def _pictured(opened: Opened, targets: Sequence[Target], with_blip: bool) -> Picture:
    image = flat(opened.image)
    turn = _UPRIGHT.get(opened.orientation)
    if turn is not None:
        image = image.transpose(turn)
    profile = opened.image.info.get("icc_profile")
    pixels = [in_srgb(fit(image, target), image.mode, profile) for target in targets]
    width, height = opened.width, opened.height
    if opened.orientation in _SIDEWAYS:
        width, height = height, width
    return Picture(opened.format, width, height, pixels[0], pixels[1] if with_blip else None, opened.facts)
