"""Pictures whose right answer is known, as bytes of any format."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictures.facts.reading import read_facts
from pictures.picture import Picture
from pictures.preprocessing import ModelInput
from pictures.uris import file_path

# Loading a file registers HEIF with Pillow, so the import comes first.
from pictures.decode import decode  # isort: skip

FORMATS = [name for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF") if name in Image.SAVE]
MAX_PIXELS = 4_000_000
GREY = (0.5, 0.5, 0.5)
# Squeezed to a square, so that every edge and corner of the picture stays in sight.
WHOLE = ModelInput(width=64, height=64, edge=(64, 64), resample=Image.Resampling.BICUBIC, mean=GREY, std=GREY)

# Where row 0 and column 0 of the file lie in the upright picture (EXIF 2.32, 4.6.4 A).
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    """Soft coloured noise: edges and gradients as a photo has them, never two pictures the same."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(2, height // 24), max(2, width // 24), 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def quarters(width: int = 96, height: int = 64) -> Image.Image:
    """Red, green over blue, yellow: every turn and every mirror image of it looks different."""
    picture = Image.new("RGB", (width, height), (220, 30, 30))
    picture.paste((30, 180, 40), (width // 2, 0, width, height // 2))
    picture.paste((30, 50, 220), (0, height // 2, width // 2, height))
    picture.paste((230, 220, 30), (width // 2, height // 2, width, height))
    return picture


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, format=form, **options)
    return stream.getvalue()


def seen(data: bytes, target: ModelInput = WHOLE) -> Picture:
    """What the loader makes of the bytes, with the facts in them."""
    picture = decode(data, MAX_PIXELS, target, None)
    picture.facts |= read_facts(data)
    return picture


def levels_apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The mean absolute difference of two pictures in levels from 0 to 255."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def colour_at(pixels: NDArray[np.uint8], x: float, y: float) -> tuple[int, ...]:
    """The colour at a place given from 0 to 1."""
    height, width = pixels.shape[:2]
    return tuple(int(value) for value in pixels[int(y * (height - 1)), int(x * (width - 1))])


def lying(upright: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera that notes this orientation writes it down."""
    rows, columns = SIDES[orientation]
    pixels = np.asarray(upright)
    if rows in ("left", "right"):
        pixels = pixels.transpose(1, 0, 2)
    if rows in ("bottom", "right"):
        pixels = pixels[::-1]
    if columns in ("bottom", "right"):
        pixels = pixels[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(pixels))


def local_path(uri: str) -> Path:
    """The path that a file:// address names."""
    return Path(os.fsdecode(file_path(uri)))
