"""Colour: whatever mode and profile a picture has, 8-bit sRGB comes out, at the price of the model's few pixels."""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pictures.picture import Pixels

# Real profiles end at about 3 MB (CMYK); a larger one is no profile, and reading it would cost more than the picture.
MAX_PROFILE_BYTES = 4_000_000
# What an eye does not see: profiles of sRGB itself differ from each other by as much.
_SAME_LEVELS = 2
_SRGB = ImageCms.createProfile("sRGB")


def flat(image: Image.Image) -> Image.Image:
    """The picture without transparency, 8 bits a channel, in mode L, RGB, CMYK or LAB: its own where that can be.

    Transparency is laid over white; greys of more than 8 bits are scaled down to them.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        paper.alpha_composite(layer)
        return paper.convert("RGB")
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def in_srgb(pixels: Pixels, mode: str, profile: bytes | None) -> Pixels:
    """Pixels of a `flat` picture of this mode, uint8 of (height, width[, channels]), as RGB of (height, width, 3).

    `profile` is the picture's ICC profile. One that is broken, or of another kind of colour than the picture, counts
    as none: then RGB and grey are taken for sRGB, and CMYK for plain inks.
    """
    transform = _transform(profile, mode) if profile or mode == "LAB" else None
    if transform is None and mode == "RGB":
        return pixels
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    if transform is None:
        return np.asarray(image.convert("RGB"))
    return np.asarray(ImageCms.applyTransform(image, transform))


# Nearly all pictures of a collection share a handful of profiles, and building a transform costs more than using it.
@lru_cache(maxsize=16)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB, None where there is none or it changes nothing."""
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
        return None if mode in ("L", "RGB") and _changes_nothing(transform, mode) else transform
    except Exception:  # lcms and Pillow raise of several kinds over a broken profile; the picture is sound without it
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3) if mode == "RGB" else steps[None]
    before = Image.frombytes(mode, (colours.shape[1], 1), np.ascontiguousarray(colours).tobytes())
    after = np.asarray(ImageCms.applyTransform(before, transform)).astype(int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= _SAME_LEVELS)


def _eight_bits(values: NDArray[np.generic]) -> Pixels:
    """Grey values of any depth as uint8: 16-bit pictures keep their upper byte instead of being clipped to white."""
    numbers = np.nan_to_num(values.astype(np.float32))
    top = float(numbers.max(initial=0))
    if values.dtype.kind == "u":
        # The depth is known to be 16 bits, so a dark picture stays dark.
        numbers /= 257
    elif values.dtype.kind == "f" and 0 < top <= 1:
        numbers *= 255
    elif top > 255:
        numbers /= 257 if top <= 65535 else top / 255
    return np.clip(numbers, 0, 255).astype(np.uint8)
