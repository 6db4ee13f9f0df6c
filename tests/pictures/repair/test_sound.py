"""Sound pictures of many kinds: none is called damaged or cut off, and each has the pixels that were put into it."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.pictures.made.pictures import WHOLE, encoded, levels_apart, seen, smooth

SIZES = ((1, 1), (3, 2), (16, 16), (17, 33), (100, 75))
GREY = 128


def pictures(mode: str) -> Iterator[Image.Image]:
    """Soft noise, and the one colour that decoders give to missing pixels."""
    for size in SIZES:
        # Colours in a picture of three pixels are not kept by what halves their number.
        yield (smooth(*size) if min(size) > 8 else Image.new("RGB", size, (200, 100, 50))).convert(mode)
        yield Image.new("RGB", size, (GREY, GREY, GREY)).convert(mode)


def kinds() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Format, mode and options of the encoder."""
    for mode, subsampling, progressive, restarts in product(("L", "RGB", "CMYK"), (0, 1, 2), (False, True), (0, 1)):
        options = {"subsampling": subsampling, "progressive": progressive, "restart_marker_blocks": restarts}
        yield "JPEG", mode, {**options, "quality": 97}
    for mode, level in product(("1", "L", "LA", "P", "RGB", "RGBA"), (0, 9)):
        yield "PNG", mode, {"compress_level": level}
    for mode, interlace in product(("L", "P"), (False, True)):
        yield "GIF", mode, {"interlace": interlace}
        for disposal in range(4):
            yield "GIF", mode, {"interlace": interlace, "disposal": disposal, "comment": b"a boat", "loop": 0}
    for mode, lossless, exact in product(("RGB", "RGBA"), (False, True), (False, True)):
        yield "WEBP", mode, {"lossless": lossless, "exact": exact, "quality": 97}
    for mode in ("1", "L", "P", "RGB"):
        yield "BMP", mode, {}


@pytest.mark.parametrize(("form", "mode", "options"), list(kinds()))
def test_a_sound_picture_is_not_called_damaged_and_has_its_pixels(
    form: str, mode: str, options: dict[str, Any]
) -> None:
    for image in pictures(mode):
        picture = seen(encoded(image, form, **options))
        assert (picture.width, picture.height) == image.size
        assert picture.facts == {}
        wanted = np.asarray(image.convert("RGB").resize((WHOLE.width, WHOLE.height), Image.Resampling.BICUBIC))
        assert levels_apart(picture.clip, wanted) < 12
