"""Resizes a decoded picture for one model: the same result as the Hugging Face processors, in one resize."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pictures.picture import Pixels

Triple = tuple[float, float, float]
# Without NEAREST, which takes other pixels when a resize and a crop become one.
_FILTERS = set(Image.Resampling) - {Image.Resampling.NEAREST}


class UnsupportedProcessor(ValueError):
    """A processor that asks for what `fit` cannot do; the text names it."""


@dataclass(frozen=True)
class ModelInput:
    """The input of a model, as its processor describes it.

    A picture is scaled so that its shorter edge has `edge` pixels, or to the (width, height) `edge` whatever its
    proportions are; the middle `width` x `height` is cut out. `mean` and `std` are per RGB channel, on values from 0
    to 1.
    """

    width: int
    height: int
    edge: int | tuple[int, int]
    resample: int
    mean: Triple
    std: Triple

    @classmethod
    def from_processor(cls, processor: Mapping[str, Any], side: int) -> "ModelInput":
        """What an image processor, as its `to_dict`, shows to a model that takes pictures of `side` x `side`.

        Raises UnsupportedProcessor.
        """
        if not processor.get("do_resize"):
            raise UnsupportedProcessor("it does not resize (do_resize)")
        if processor.get("do_pad"):
            raise UnsupportedProcessor("it pads pictures (do_pad)")
        resample = processor.get("resample")
        if resample not in (None, *_FILTERS):
            raise UnsupportedProcessor(f"it resizes by the filter {resample!r} (resample)")
        edge = _edge(processor.get("size") or {})
        width, height = _cropped(processor, edge)
        if (width, height) != (side, side):
            raise UnsupportedProcessor(f"its pictures are {width} x {height}, but its model takes {side} x {side}")
        mean, std = _normalisation(processor)
        # Without a filter the processors take this one.
        return cls(width, height, edge, int(Image.Resampling.BILINEAR if resample is None else resample), mean, std)

    @property
    def min_size(self) -> tuple[int, int]:
        """The smallest width and height of a decoded picture that need not be enlarged for this model."""
        side = max(self.edge) if isinstance(self.edge, tuple) else self.edge
        return side, side

    def scaled(self, width: int, height: int) -> tuple[int, int]:
        """The width and height that a picture is scaled to before its middle is cut out."""
        if isinstance(self.edge, tuple):
            return self.edge
        # Rounded down, as the processors do.
        return self.edge * width // min(width, height), self.edge * height // min(width, height)


@dataclass(frozen=True)
class WholeInput:
    """A whole picture in its own proportions, for whoever prepares it further: its longer edge has at most `edge`
    pixels, and a smaller picture stays as it is.
    """

    edge: int

    @property
    def min_size(self) -> tuple[int, int]:
        """The smallest width and height of a decoded picture that is as good as the original."""
        return self.edge, self.edge


# What is shown to a model, or to the one who prepares it for the model.
PictureInput = ModelInput | WholeInput
# The edges of an empty picture in the place of a whole one.
_BLANK_EDGE = 64


def blank(target: PictureInput, shade: int) -> Pixels:
    """A picture of one shade as `fit` would make it."""
    height, width = (target.height, target.width) if isinstance(target, ModelInput) else (_BLANK_EDGE, _BLANK_EDGE)
    return np.full((height, width, 3), shade, dtype=np.uint8)


def fit(image: Image.Image, target: PictureInput) -> Pixels:
    """Resize an upright RGB picture for a target; uint8 of (height, width, 3), of one size for a ModelInput."""
    if isinstance(target, WholeInput):
        return np.asarray(_within(image, target.edge))
    # One resize with a source box has the same result as a resize and a crop, for less work. Sizes and margins are
    # rounded down to whole pixels, as the processor does; half a pixel changes the results of small models.
    width, height = target.scaled(image.width, image.height)
    left, right = _span(image.width, width, target.width)
    top, bottom = _span(image.height, height, target.height)
    size = (target.width, target.height)
    return np.asarray(image.resize(size, target.resample, box=(left, top, right, bottom)))


def _within(image: Image.Image, edge: int) -> Image.Image:
    longer = max(image.size)
    if longer <= edge:
        return image
    width, height = (max(1, round(length * edge / longer)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _span(length: int, resized: int, cropped: int) -> tuple[float, float]:
    """Start and end, on an edge of `length` pixels, of the middle `cropped` pixels after it is resized to `resized`."""
    margin = (resized - cropped) // 2
    return margin * length / resized, min((margin + cropped) * length / resized, length)


def _edge(size: Mapping[str, int]) -> int | tuple[int, int]:
    given = {name for name, pixels in size.items() if pixels}
    if given == {"shortest_edge"}:
        return size["shortest_edge"]
    if given == {"height", "width"}:
        return size["width"], size["height"]
    raise UnsupportedProcessor(f"it resizes by {' and '.join(sorted(given)) or 'nothing'} (size)")


def _cropped(processor: Mapping[str, Any], edge: int | tuple[int, int]) -> tuple[int, int]:
    if not processor.get("do_center_crop"):
        if not isinstance(edge, tuple):
            raise UnsupportedProcessor("its pictures have different sizes (shortest_edge without do_center_crop)")
        return edge
    crop = processor.get("crop_size") or {}
    width, height = crop.get("width"), crop.get("height")
    if not width or not height:
        raise UnsupportedProcessor("it cuts out the middle, but not of which size (crop_size)")
    most_width, most_height = edge if isinstance(edge, tuple) else (edge, edge)
    if width > most_width or height > most_height:
        raise UnsupportedProcessor("it cuts out more than the resized picture has (crop_size)")
    return width, height


def _normalisation(processor: Mapping[str, Any]) -> tuple[Triple, Triple]:
    """Mean and std on values from 0 to 1 that do what the processor does to bytes: rescale, then normalise, or not."""
    scale = (processor.get("rescale_factor") or 0) * 255 if processor.get("do_rescale") else 255
    normalises = processor.get("do_normalize")
    mean = _triple(processor.get("image_mean") if normalises else 0)
    std = _triple(processor.get("image_std") if normalises else 1)
    if scale == 0 or 0 in std:
        raise UnsupportedProcessor("it divides by zero (rescale_factor or image_std)")
    return _divided(mean, scale), _divided(std, scale)


def _triple(value: Any) -> Triple:
    if isinstance(value, int | float):
        return value, value, value
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise UnsupportedProcessor(f"it normalises by {value!r}, not by three numbers (image_mean, image_std)")
    return value[0], value[1], value[2]


def _divided(triple: Triple, by: float) -> Triple:
    return triple[0] / by, triple[1] / by, triple[2] / by
