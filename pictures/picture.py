"""What the loader makes of a file: its facts, and the pixels that each model wants."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from settings.errors import DarkroomError

if TYPE_CHECKING:
    # Not imported in earnest: who only lists files, like the producer, needs neither.
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Pixels: TypeAlias = "NDArray[np.uint8]"


class LoadError(DarkroomError):
    """A file that cannot become a picture; the text is the reason that a person reads."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


class FileGone(LoadError):
    """There is no such file."""

    def __init__(self, reason: str = "the file is gone") -> None:
        super().__init__("read", reason)


class NotReachable(LoadError):
    """This machine does not see the place where the file lies; another one may."""

    def __init__(self, reason: str) -> None:
        super().__init__("read", reason)


@dataclass
class Content:
    """The bytes of a file, read once, with what is known without decoding them."""

    data: bytes
    sha256: str
    mtime: int


@dataclass
class Opened:
    """A picture whose header is read, and of a RAW file the picture that stands for it.

    `width` and `height` are those of the original as it lies in the file; `orientation` is the EXIF number (1 to 8) of
    the turn that makes both it and `image` upright.
    """

    image: "Image.Image"
    format: str
    width: int
    height: int
    orientation: int
    facts: dict[str, Any]


@dataclass
class Picture:
    """A decoded picture, upright and in sRGB, at the sizes the models want.

    `clip` and `blip` are uint8 RGB of shape (height, width, 3); `width` and `height` are those of the upright original
    in pixels.
    """

    format: str
    width: int
    height: int
    clip: Pixels
    blip: "Pixels | None" = None
    facts: dict[str, Any] = field(default_factory=dict)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise LoadError when a picture of this size has too many pixels; asked before memory is taken for them."""
    if width * height > max_pixels:
        raise LoadError(
            "decode", f"{width} x {height} = {width * height:,} pixels are more than ingest.max_pixels = {max_pixels:,}"
        )
