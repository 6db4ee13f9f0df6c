"""Colour: converts pictures of any mode and profile to 8-bit sRGB, after they were resized for the model."""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pictures.picture import Pixels

# The largest real profiles have about 3 MB (CMYK); reading a larger one could cost more than the picture.
MAX_PROFILE_BYTES = 4_000_000
# An eye does not see a difference of so many levels; sRGB profiles differ from each other by as much.
_MAX_DIFFERENCE = 2
_SRGB = ImageCms.createProfile("sRGB")


def flatten(image: Image.Image) -> Image.Image:
    """The picture without transparency, 8 bits a channel, in mode L, RGB, CMYK or LAB; one of these is not changed.

    Transparent parts become white; greys of more than 8 bits are scaled to 8.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        background = Image.new("RGBA", layer.size, "white")
        background.alpha_composite(layer)
        return background.convert("RGB")
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


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


def _eight_bits(values: NDArray[np.generic]) -> Pixels:
    """Grey values of any depth as uint8: of 16 bits the upper byte, where Pillow would clip to white."""
    numbers = np.nan_to_num(values.astype(np.float32))
    maximum = float(numbers.max(initial=0))
    if values.dtype.kind == "u":
        # Unsigned values have 16 bits, so that a dark picture stays dark.
        numbers /= 257
    elif values.dtype.kind == "f" and 0 < maximum <= 1:
        numbers *= 255
    elif maximum > 255:
        numbers /= 257 if maximum <= 65535 else maximum / 255
    return np.clip(numbers, 0, 255).astype(np.uint8)
