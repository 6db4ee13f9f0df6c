"""Decodes bytes to upright sRGB pixels for both models, with a limit and no larger than needed."""

import io
import math
import warnings

import numpy as np
from PIL import Image, PngImagePlugin

from pictures.codecs.special import open_special
from pictures.colour import flatten, to_srgb
from pictures.facts.exif import exif_of, orientation_of
from pictures.formats import PILLOW_FORMATS, RAW_KINDS
from pictures.picture import LoadError, NoMemory, OpenedPicture, Picture, Pixels, Reserve, check_size, no_limit
from pictures.preprocessing import PictureInput, fit
from pictures.raw import open_raw
from pictures.repair.opening import load_best
from pictures.repair.reasons import reason_of
from pictures.signature import format_of

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
    data: bytes,
    max_pixels: int,
    clip: PictureInput,
    blip: PictureInput | None,
    reserve: Reserve = no_limit,
    small: int | None = None,
    text: PictureInput | None = None,
) -> Picture:
    """Decode bytes for the models, and a small picture of at most `small` pixels each way for people.

    Raises LoadError with the reason if that fails. JPEGs are scaled down while decoding (DCT scaling), but not below a
    size that a target would have to enlarge. What CLIP sees is the same with others beside it: if one of them needs a
    larger decode, the bytes are decoded once more. `text` is what is shown to who reads text. `reserve` gets the number
    of pixels before memory is taken for them.
    """
    try:
        return _decode(data, max_pixels, clip, (blip, text), reserve, small)
    except Exception as error:  # for damaged data decoders raise more than they document, for example zlib.error
        raise _refusal(error, data) from None


def _decode(
    data: bytes,
    max_pixels: int,
    clip: PictureInput,
    others: tuple[PictureInput | None, PictureInput | None],
    reserve: Reserve,
    small: int | None,
) -> Picture:
    fitted: dict[PictureInput, Pixels] = {}
    with open_picture(data, max_pixels, clip.min_size, reserve) as opened:
        for_clip = _fitted(opened, clip)
        for target in others:
            if target is not None and target not in fitted and opened.is_enough_for(target.min_size):
                fitted[target] = for_clip if target == clip else _fitted(opened, target)
        for_people = _small(opened, small) if small and opened.is_enough_for(_within(opened, small)) else None
    for target in others:
        if target is not None and target not in fitted:
            # Each by itself, so that a captioner sees the same whether text is read or not.
            with open_picture(data, max_pixels, target.min_size, reserve) as larger:
                fitted[target] = _fitted(larger, target)
                if small and for_people is None and larger.is_enough_for(_within(larger, small)):
                    for_people = _small(larger, small)
    if small and for_people is None:
        with open_picture(data, max_pixels, _within(opened, small), reserve) as larger:
            for_people = _small(larger, small)
    width, height = opened.width, opened.height
    if opened.orientation in _SIDEWAYS:
        width, height = height, width
    for_blip, for_text = (None if target is None else fitted[target] for target in others)
    return Picture(opened.format, width, height, for_clip, for_blip, for_text, opened.facts, for_people)


def _fitted(opened: OpenedPicture, target: PictureInput) -> Pixels:
    image = upright(opened, target.min_size)
    return to_srgb(fit(image, target), image.mode, opened.image.info.get("icc_profile"))


def small_picture(data: bytes, max_pixels: int, size: int) -> Image.Image:
    """Decode bytes into an upright RGB picture of at most `size` pixels each way; raises LoadError as `decode` does."""
    try:
        with open_picture(data, max_pixels, (size, size)) as opened:
            return _small(opened, size)
    except Exception as error:  # as in decode
        raise _refusal(error, data) from None


def _small(opened: OpenedPicture, size: int) -> Image.Image:
    image = upright(opened, (size, size))
    image.thumbnail((size, size))
    return Image.fromarray(to_srgb(np.asarray(image), image.mode, opened.image.info.get("icc_profile")))


def _within(opened: OpenedPicture, size: int) -> tuple[int, int]:
    """The size (width, height) of the original when it is scaled down to `size` pixels each way; it is not enlarged."""
    scale = min(1.0, size / max(opened.width, opened.height))
    return math.ceil(opened.width * scale), math.ceil(opened.height * scale)


def open_picture(data: bytes, max_pixels: int, min_size: tuple[int, int], reserve: Reserve = no_limit) -> OpenedPicture:
    """Open bytes as a picture of at least `min_size` (width, height), or of its full size if that is smaller.

    The content decides the format, never the name; for a RAW file the camera's preview is opened. `reserve` gets the
    number of pixels before memory is taken for them.
    """
    format_name = format_of(data)
    if format_name is not None and format_name in RAW_KINDS:
        return open_raw(data, format_name, max_pixels, min_size, reserve)
    return _open(data, format_name, max_pixels, min_size, reserve)


def upright(opened: OpenedPicture, min_size: tuple[int, int]) -> Image.Image:
    """The picture as a person sees it: upright, without transparency, in a mode that `to_srgb` takes.

    It may be smaller than what was opened, but not near `min_size`.
    """
    image = flatten(opened.image, min_size)
    transposition = _UPRIGHT.get(opened.orientation)
    return image if transposition is None else image.transpose(transposition)


def _refusal(error: Exception, data: bytes) -> LoadError:
    if isinstance(error, LoadError):
        return error
    kind = NoMemory if isinstance(error, MemoryError) else LoadError
    return kind("decode", reason_of(error, data, format_of(data)))


def _open(
    data: bytes, format_name: str | None, max_pixels: int, min_size: tuple[int, int], reserve: Reserve
) -> OpenedPicture:
    name, size = format_name or "unknown", (0, 0)

    def load(data: bytes, *, cut_off: bool = False) -> Image.Image:
        nonlocal name, size
        special = open_special(data, format_name, max_pixels, reserve)
        if special is not None:
            size = special.size
            return special
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        size = image.size
        check_size(*size, max_pixels)
        name = "JPEG" if image.format == "MPO" else image.format or "unknown"
        if name == "JPEG":
            image.draft(None, min_size)
        # A progressive JPEG is held in full size, whatever size is wanted of it.
        reserve(size[0] * size[1] if image.info.get("progressive") else image.width * image.height)
        try:
            image.load()
        except Exception:  # decoders raise many kinds; where a part is enough, any of them ends the picture
            if not cut_off:
                raise
            # What was decoded is in the picture already.
            image.tile = []
            image.load()
        return image

    image, damage = load_best(data, format_name, max_pixels, load)
    facts = {} if damage is None else {"damaged": True, "damage": damage}
    # To look for it in nothing takes as long as to decode a small picture.
    says_nothing = name == "JPEG" and "exif" not in image.info and "xmp" not in image.info
    orientation = 1 if says_nothing else orientation_of(exif_of(image))
    return OpenedPicture(image, name, *size, orientation, facts)
