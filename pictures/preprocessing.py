"""Resizes a decoded picture for one model: the same result as the Hugging Face processors, in one resize."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pictures.picture import Pixels


@dataclass(frozen=True)
class ModelInput:
    """The input of a model, as its preprocessor configuration describes it.

    With `crop`, the shorter edge is scaled to `edge` and the middle is cut out (CLIP); without it the picture is
    resized to `width` x `height` (BLIP). `mean` and `std` are per RGB channel, on values from 0 to 1.
    """

    width: int
    height: int
    edge: int
    crop: bool
    resample: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def min_size(self) -> tuple[int, int]:
        """The smallest width and height of a decoded picture that need not be enlarged for this model."""
        side = max(self.edge, self.width, self.height)
        return side, side


def fit(image: Image.Image, target: ModelInput) -> Pixels:
    """Resize an upright RGB picture for a target; uint8 of (target.height, target.width, 3)."""
    resample = Image.Resampling(target.resample)
    size = (target.width, target.height)
    if not target.crop:
        return np.asarray(image.resize(size, resample))
    # One resize with a source box has the same result as a resize and a crop, for less work. Sizes and margins are
    # rounded down to whole pixels, as the processor does; half a pixel changes the results of small models.
    short = min(image.width, image.height)
    left, right = _span(image.width, target.edge * image.width // short, target.width)
    top, bottom = _span(image.height, target.edge * image.height // short, target.height)
    return np.asarray(image.resize(size, resample, box=(left, top, right, bottom)))


def _span(length: int, resized: int, cropped: int) -> tuple[float, float]:
    """Start and end, on an edge of `length` pixels, of the middle `cropped` pixels after it is resized to `resized`."""
    cropped = min(cropped, resized)
    margin = (resized - cropped) // 2
    return margin * length / resized, min((margin + cropped) * length / resized, length)
