"""Decodes bytes to upright sRGB pixels for both models, with a limit and no larger than needed, and reads the facts."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, PngImagePlugin

from pictures.colour import flatten, to_srgb
from pictures.formats import PILLOW_FORMATS, RAW_KINDS
from pictures.metadata import description_of, exif_of, facts_of, orientation_of
from pictures.picture import LoadError, OpenedPicture, Picture, Pixels, Reserve, check_size, no_limit
from pictures.preprocessing import ModelInput, fit
from pictures.raw import open_raw
from pictures.signature import format_of, reason_of

try:
    from pillow_heif import register_heif_opener

    register_heif_opener()
except ImportError:  # then HEIC is an unknown format
    pass

# Pillow's own limit is a warning at one size and an error at twice it; ingest.max_pixels is checked instead.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\..*")
# Larger than what glibc keeps for later when it is freed (mallopt(3), M_MMAP_THRESHOLD): with the usual blocks of 16 MB
# each loader thread keeps the memory of a whole large picture.
Image.core.set_block_size(64 << 20)  # type: ignore[attr-defined]  # the types of Pillow do not know it
# Pillow refuses a PNG whose text unpacks to more than a megabyte; drawing programs store whole scripts in it.
PngImagePlugin.MAX_TEXT_CHUNK = 4 << 20

Image.init()
_FORMATS = [name for name in PILLOW_FORMATS if name in Image.OPEN]

# EXIF orientation -> the transposition that makes the picture upright (EXIF 2.32, 4.6.4 A).
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


def decode(
    data: bytes, max_pixels: int, clip: ModelInput, blip: ModelInput | None, reserve: Reserve = no_limit
) -> Picture:
    """Decode bytes for the models; raises LoadError with the reason if that fails.

    JPEGs are scaled down while decoding (DCT scaling), but not below a size that a target would have to enlarge. What
    CLIP sees is the same with BLIP beside it: if BLIP needs a larger decode, the bytes are decoded once more.
    `reserve` gets the number of pixels before memory is taken for them.
    """
    with _decoder_errors(data):
        with open_picture(data, max_pixels, clip.min_size, reserve) as opened:
            for_clip = _fitted(opened, clip)
            for_blip = _fitted(opened, blip) if blip and opened.is_enough_for(blip.min_size) else None
        if blip and for_blip is None:
            with open_picture(data, max_pixels, blip.min_size, reserve) as larger:
                for_blip = _fitted(larger, blip)
        width, height = opened.width, opened.height
        if opened.orientation in _SIDEWAYS:
            width, height = height, width
        return Picture(opened.format, width, height, for_clip, for_blip, opened.facts)


def _fitted(opened: OpenedPicture, target: ModelInput) -> Pixels:
    image = upright(opened, target.min_size)
    return to_srgb(fit(image, target), image.mode, opened.image.info.get("icc_profile"))


def small_picture(data: bytes, max_pixels: int, size: int) -> Image.Image:
    """Decode bytes into an upright RGB picture of at most `size` pixels each way; raises LoadError as `decode` does."""
    with _decoder_errors(data), open_picture(data, max_pixels, (size, size)) as opened:
        image = upright(opened, (size, size))
        image.thumbnail((size, size))
        return Image.fromarray(to_srgb(np.asarray(image), image.mode, opened.image.info.get("icc_profile")))


@contextmanager
def open_picture(
    data: bytes, max_pixels: int, min_size: tuple[int, int], reserve: Reserve = no_limit
) -> Iterator[OpenedPicture]:
    """Open bytes as a picture of at least `min_size` (width, height), or of its full size if that is smaller.

    The content decides the format, never the name; for a RAW file the camera's preview is opened. `reserve` gets the
    number of pixels before memory is taken for them.
    """
    format_name = format_of(data)
    if format_name is not None and format_name in RAW_KINDS:
        opened = open_raw(data, format_name, max_pixels, min_size, reserve)
    else:
        opened = _open(data, max_pixels, min_size, reserve)
    with opened.image:
        yield opened


def upright(opened: OpenedPicture, min_size: tuple[int, int]) -> Image.Image:
    """The picture as a person sees it: upright, without transparency, in a mode that `to_srgb` takes.

    It may be smaller than what was opened, but not near `min_size`.
    """
    image = flatten(opened.image, min_size)
    transposition = _UPRIGHT.get(opened.orientation)
    return image if transposition is None else image.transpose(transposition)


@contextmanager
def _decoder_errors(data: bytes) -> Iterator[None]:
    try:
        yield
    except LoadError:
        raise
    except Exception as error:  # for damaged data decoders raise more than they document, for example zlib.error
        raise LoadError("decode", reason_of(error, data, format_of(data))) from None


def _open(data: bytes, max_pixels: int, min_size: tuple[int, int], reserve: Reserve) -> OpenedPicture:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size
    check_size(width, height, max_pixels)
    format_name = "JPEG" if image.format == "MPO" else image.format or "unknown"
    if format_name == "JPEG":
        image.draft(None, min_size)
    # A progressive JPEG is held in full size, whatever size is wanted of it.
    reserve(width * height if image.info.get("progressive") else image.width * image.height)
    image.load()
    exif = exif_of(image)
    facts = facts_of(exif) | description_of(image)
    return OpenedPicture(image, format_name, width, height, orientation_of(exif), facts)
