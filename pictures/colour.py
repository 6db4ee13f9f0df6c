"""Colour: converts pictures of any mode and profile to 8-bit sRGB, after they were resized for the model."""

import io
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pictures.picture import Pixels

# The largest real profiles have about 3 MB (CMYK); reading a larger one could cost more than the picture.
MAX_PROFILE_BYTES = 4_000_000
# An eye does not see a difference of so many levels; sRGB profiles differ from each other by as much.
_MAX_DIFFERENCE = 2
# So many pixels are converted at a time: larger pictures take more memory, smaller strips more time.
STRIP_PIXELS = 1 << 20
REDUCING_GAP = 4
_SRGB = ImageCms.createProfile("sRGB")


def flatten(image: Image.Image, min_size: tuple[int, int]) -> Image.Image:
    """The picture without transparency, 8 bits a channel, in mode L, RGB, CMYK or LAB; one of these is not changed.

    Transparent parts become white; greys of more than 8 bits are scaled to 8. A large picture is converted in strips,
    each of which is made smaller at once, so that no copy in full size is needed: to REDUCING_GAP times the size that
    it has when its short edge is that of `min_size`, where a resize hardly differs from one of the full picture.
    """
    if image.mode in ("L", "RGB", "CMYK", "LAB") and not image.has_transparency_data:
        return image
    maximum = _maximum(image)
    if image.width * image.height <= STRIP_PIXELS:
        return _flat(image, maximum)
    width, height = image.size
    side, short = max(min_size), min(image.size)
    if short >= 2 * REDUCING_GAP * side:
        # A multiple of what the models' processors round down to, so that whoever resizes it comes to the same size.
        width, height = (REDUCING_GAP * (side * length // short) for length in image.size)
    reduced = None
    for top, bottom in _strips(height, image.width * image.height // height):
        # What these rows are made from begins and ends between two rows of the picture, unless its size divides.
        start, end = top * image.height / height, bottom * image.height / height
        first = int(start)
        strip = _flat(image.crop((0, first, image.width, min(math.ceil(end), image.height))), maximum)
        box = (0, start - first, image.width, min(end - first, strip.height))
        part = strip.resize((width, bottom - top), Image.Resampling.BOX, box)
        reduced = reduced or Image.new(part.mode, (width, height))
        reduced.paste(part, (0, top))
    assert reduced is not None
    return reduced


def _strips(rows: int, pixels: int) -> Iterator[tuple[int, int]]:
    """The first row and the one behind the last of each strip, of rows that stand for so many pixels each."""
    step = max(1, STRIP_PIXELS // pixels)
    return ((top, min(top + step, rows)) for top in range(0, rows, step))


def _flat(image: Image.Image, maximum: float) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image), maximum))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        background = Image.new("RGBA", layer.size, "white")
        background.alpha_composite(layer)
        return background.convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def _maximum(image: Image.Image) -> float:
    """The largest value of a grey picture of more than 8 bits; 0 where it does not matter."""
    if image.mode not in ("I", "F"):
        return 0.0
    strips = (image.crop((0, top, image.width, end)) for top, end in _strips(image.height, image.width))
    return max(float(_numbers(np.asarray(strip)).max(initial=0)) for strip in strips)


def to_srgb(pixels: Pixels, mode: str, profile: bytes | None) -> Pixels:
    """Convert a flattened picture of this mode, uint8 (height, width[, channels]), to sRGB, uint8 (height, width, 3).

    `profile` is the picture's ICC profile. A profile that is broken, or made for another mode than the picture's, is
    ignored: then RGB and grey count as sRGB, and CMYK is converted without a profile.
    """
    transform = _transform(profile, mode) if profile or mode == "LAB" else None
    if transform is None and mode == "RGB":
        return pixels
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    if transform is None:
        return np.asarray(image.convert("RGB"))
    return np.asarray(ImageCms.applyTransform(image, transform))


def is_srgb(mode: str, profile: bytes | None) -> bool:
    """True if `to_srgb` would leave pixels of this mode, RGB or L, as they are, or only make three channels of one."""
    return not profile or _transform(profile, mode) is None


# Most pictures of a collection share a few profiles, and building a transform costs more than applying it.
@lru_cache(maxsize=16)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile to sRGB; None if there is none or if it changes nothing."""
    if profile is not None and len(profile) > MAX_PROFILE_BYTES:
        profile = None
    try:
        if mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile is None:
            return None
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        transform = ImageCms.buildTransform(
            source,
            _SRGB,
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if mode in ("L", "RGB") and _is_identity(transform, mode) else transform
    except Exception:  # a broken profile may raise anything in lcms and Pillow; the picture is sound without it
        return None


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3) if mode == "RGB" else steps[None]
    before = Image.frombytes(mode, (colours.shape[1], 1), np.ascontiguousarray(colours).tobytes())
    after = np.asarray(ImageCms.applyTransform(before, transform)).astype(int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= _MAX_DIFFERENCE)


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.nan_to_num(values.astype(np.float32))


def _eight_bits(values: NDArray[np.generic], maximum: float) -> Pixels:
    """Grey values of any depth as uint8: of 16 bits the upper byte, where Pillow would clip to white."""
    numbers = _numbers(values)
    if values.dtype.kind == "u":
        # Unsigned values have 16 bits, so that a dark picture stays dark.
        numbers /= 257
    elif values.dtype.kind == "f" and 0 < maximum <= 1:
        numbers *= 255
    elif maximum > 255:
        numbers /= 257 if maximum <= 65535 else maximum / 255
    return np.clip(numbers, 0, 255).astype(np.uint8)
