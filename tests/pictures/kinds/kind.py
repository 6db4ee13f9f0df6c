"""One kind of a picture file: its bytes, and the pixels that they stand for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.pictures.made.pictures import quarters, smooth

SIDE = 64
WHITE = 255.0
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """A kind under its name; `write` makes the bytes, `pixels` are what a person sees, (SIDE, SIDE, 3) from 0 to 255.

    `levels` is how far the mean pixel may be from it: kinds with loss are further away.
    """

    name: str
    write: Callable[[], bytes]
    pixels: Values
    levels: float = 1.0


@cache
def scene() -> Values:
    """The picture of all kinds, RGB from 0 to 1: four colours, each with soft changes, no two corners the same."""
    mixed = Image.blend(quarters(SIDE, SIDE), smooth(SIDE, SIDE, seed=7), 0.4)
    values = np.asarray(mixed).astype(np.float64) / 255
    values.setflags(write=False)  # all kinds share it
    return values


def opacity() -> Values:
    """From 0 at the left to 1 at the right."""
    return np.tile(np.linspace(0, 1, SIDE), (SIDE, 1))


def rounded(values: Values, bits: int) -> Values:
    """The values as so many bits hold them, from 0 to 1 again."""
    most = 2 ** min(bits, 32) - 1
    return np.round(values * most) / most


def shown(values: Values, alpha: Values | None = None) -> Values:
    """What a person sees of grey or RGB values from 0 to 1: three channels from 0 to 255, over white."""
    three = np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else values
    if alpha is not None:
        three = three * alpha[..., None] + (1 - alpha[..., None])
    return three * WHITE
