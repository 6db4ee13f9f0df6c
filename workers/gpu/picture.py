"""What the loader makes of a file: its facts, and the pixels that each model wants."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DarkroomError

Pixels = NDArray[np.uint8]


class LoadError(DarkroomError):
    """A file that cannot become a picture; the text is the reason that a person reads."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


@dataclass
class Content:
    """The bytes of a file, read once, with what is known without decoding them."""

    data: bytes
    sha256: str
    mtime: int


@dataclass
class Picture:
    """A decoded picture, upright and in RGB (colour profiles are not applied), at the sizes the models want.

    `clip` and `blip` are uint8 RGB of shape (height, width, 3); `width` and `height` are those of the upright original
    in pixels.
    """

    format: str
    width: int
    height: int
    clip: Pixels
    blip: Pixels | None = None
    facts: dict[str, Any] = field(default_factory=dict)
