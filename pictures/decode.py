"""From bytes to pixels: a bounded and reduced decode for both models, upright sRGB, and the facts in the metadata."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, PngImagePlugin

from pictures.colour import flat, in_srgb
from pictures.formats import PILLOW_FORMATS, RAW_KINDS
from pictures.metadata import description_of, exif_of, facts_of, orientation_of
from pictures.picture import LoadError, Opened, Picture, check_size
from pictures.preprocessing import ModelInput, fit
from pictures.raw import open_raw
from pictures.signature import format_of, reason_of

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

Image.init()
_FORMATS = [name for name in PILLOW_FORMATS if name in Image.OPEN]

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


def decode(data: bytes, max_pixels: int, clip: ModelInput, blip: ModelInput | None) -> Picture:
    """Decode bytes for the models; raises LoadError with the reason when they are no sound picture.

    JPEGs are scaled while decoding (DCT scaling) down to the least size that no target has to enlarge.
    """
    targets = [target for target in (clip, blip) if target]
    least = max(target.least[0] for target in targets), max(target.least[1] for target in targets)
    with _reasons(data), open_picture(data, max_pixels, least) as opened:
        image = upright(opened)
        profile = opened.image.info.get("icc_profile")
        pixels = [in_srgb(fit(image, target), image.mode, profile) for target in targets]
        width, height = opened.width, opened.height
        if opened.orientation in _SIDEWAYS:
            width, height = height, width
        return Picture(opened.format, width, height, pixels[0], pixels[1] if blip else None, opened.facts)


def small_picture(data: bytes, max_pixels: int, size: int) -> Image.Image:
    """Decode bytes into an upright RGB picture of at most `size` pixels each way; raises LoadError as `decode` does."""
    with _reasons(data), open_picture(data, max_pixels, (size, size)) as opened:
        image = upright(opened)
        image.thumbnail((size, size))
        return Image.fromarray(in_srgb(np.asarray(image), image.mode, opened.image.info.get("icc_profile")))


@contextmanager
def open_picture(data: bytes, max_pixels: int, least: tuple[int, int]) -> Iterator[Opened]:
    """Open bytes as a picture of at least `least` pixels, or of its own size where that is less.

    The format is told by the content, never by the name; of a RAW file the preview is taken that its camera put there.
    """
    form = format_of(data)
    if form is not None and form in RAW_KINDS:
        opened = open_raw(data, form, max_pixels, least)
    else:
        opened = _open(data, max_pixels, least)
    with opened.image:
        yield opened


def upright(opened: Opened) -> Image.Image:
    """The picture as it is looked at: turned, without transparency, in a mode that `in_srgb` takes."""
    image = flat(opened.image)
    turn = _UPRIGHT.get(opened.orientation)
    return image if turn is None else image.transpose(turn)


@contextmanager
def _reasons(data: bytes) -> Iterator[None]:
    try:
        yield
    except LoadError:
        raise
    except Exception as error:  # decoders raise far more over damaged data than they document, zlib.error for one
        raise LoadError("decode", reason_of(error, data, format_of(data))) from None


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
