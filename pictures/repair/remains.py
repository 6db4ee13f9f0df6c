"""What is there of a picture whose data end early, and how much of it is enough."""

from typing import NamedTuple

import numpy as np

from pictures.picture import Pixels
from pictures.signature import CUT_OFF

# With a twentieth missing people and models still see the same picture.
ENOUGH = 0.95


class Remains(NamedTuple):
    """Bytes that a decoder reads to their end, and the share of the pixels that is in them, from 0 to 1.

    `share` is None where it cannot be known and is too little.
    """

    data: bytes
    share: float | None


def cut_off(share: float | None) -> str:
    """The reason why a picture of which only this is there is not stored."""
    return CUT_OFF if share is None else f"the picture is cut off ({int(share * 100)} % is there)"


def damage(share: float) -> str:
    """What is wrong with a picture that is stored although not all of its data are there."""
    if share >= 1:
        return "its data end too early, but all of its pixels are there"
    return f"its data end too early: {int(share * 100)} % of the picture is there"


def share_alike(one: Pixels, other: Pixels, block: tuple[int, int], smeared: int = 0) -> float:
    """The share of a picture in front of the first place at which two decodes of it differ.

    The decoder goes over it row by row of blocks (width, height), and changes so many pixels above and left of one.
    """
    width, height = -(-one.shape[1] // block[0]), -(-one.shape[0] // block[1])
    rows, columns = np.nonzero((one != other).any(axis=-1))
    if not len(rows):
        return 1.0
    rows, columns = (rows + smeared) // block[1], (columns + smeared) // block[0]
    first = int(rows.min())
    return min(1.0, (first * width + int(columns[rows == first].min())) / (width * height))
