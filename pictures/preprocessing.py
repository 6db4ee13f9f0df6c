"""From a decoded picture to the pixels of one model: what the Hugging Face processors do, in one resize."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pictures.picture import Pixels


@dataclass(frozen=True)
class ModelInput:
    """What a model wants to see, read from its preprocessor configuration.

    `crop` cuts the middle out of a picture whose shorter edge was scaled to `edge` (CLIP); without it the picture is
    squeezed to `width` x `height` (BLIP). `mean` and `std` are per RGB channel, on values from 0 to 1.
    """

    width: int
    height: int
    edge: int
    crop: bool
    resample: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def least(self) -> tuple[int, int]:
        """The least width and height a reduced decode may have without blurring this target."""
        side = max(self.edge, self.width, self.height)
        return side, side


def fit(image: Image.Image, target: ModelInput) -> Pixels:
    """Resize an upright RGB picture for a target; uint8 of (target.height, target.width, 3)."""
    resample = Image.Resampling(target.resample)
    size = (target.width, target.height)
    if not target.crop:
        return np.asarray(image.resize(size, resample))
    # One resize with a source box gives what resizing all of it and cropping then would, for less work. Sizes and
    # margins are rounded down to whole pixels as the processor does; half a pixel off can be seen in small models.
    short = min(image.width, image.height)
    left, right = _span(image.width, target.edge * image.width // short, target.width)
    top, bottom = _span(image.height, target.edge * image.height // short, target.height)
    return np.asarray(image.resize(size, resample, box=(left, top, right, bottom)))


def _span(length: int, resized: int, cropped: int) -> tuple[float, float]:
    """The stretch of an edge of `length` pixels that is the middle `cropped` ones of it once it is `resized`."""
    cropped = min(cropped, resized)
    begin = (resized - cropped) // 2
    return begin * length / resized, min((begin + cropped) * length / resized, length)
