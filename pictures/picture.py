"""The types of a picture on its way from the file to the models, and the errors of loading it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from settings.errors import DarkroomError

if TYPE_CHECKING:
    # Imported for the types only: the producer lists files without these libraries.
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Pixels: TypeAlias = "NDArray[np.uint8]"


class LoadError(DarkroomError):
    """A file that cannot be loaded as a picture; the text is the reason, for the user."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


class FileGone(LoadError):
    """The file does not exist."""

    def __init__(self, reason: str = "the file is gone") -> None:
        super().__init__("read", reason)


class NotReachable(LoadError):
    """This machine cannot reach the place of the file; another machine may."""

    def __init__(self, reason: str) -> None:
        super().__init__("read", reason)


def int64(number: int) -> int:
    """The number, or the nearest one that messages, the collection and a table can hold.

    File systems and servers tell times of 1601 or 2600, which are too far for nanoseconds in 64 bits, and any size.
    """
    return max(-(2**63), min(number, 2**63 - 1))


# Gets the number of bytes or pixels that are needed next, before memory is taken for them; it may wait, or raise.
Reserve: TypeAlias = Callable[[int], None]


def no_limit(_size: int) -> None:
    """The Reserve of a process that does not share its memory."""


@dataclass
class Content:
    """The bytes of a file, their hash, and when the file was modified, in nanoseconds as `int64` has it."""

    data: bytes
    sha256: str
    mtime: int


@dataclass
class OpenedPicture:
    """A picture that is opened; for a RAW file `image` is its preview or what was developed.

    `width` and `height` are those of the original, before it is turned; `orientation` is the EXIF orientation (1 to 8)
    of both the original and `image`.
    """

    image: "Image.Image"
    format: str
    width: int
    height: int
    orientation: int
    facts: dict[str, Any]

    def is_enough_for(self, min_size: tuple[int, int]) -> bool:
        """True if `image` has at least this size (width, height), or the full size of the original."""
        size = self.image.size
        return (size[0] >= min_size[0] and size[1] >= min_size[1]) or size == (self.width, self.height)


@dataclass
class Picture:
    """A decoded picture, upright and in sRGB, in the sizes of the models.

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
    """Raise LoadError if a picture of this size has too many pixels; call it before memory is allocated for them."""
    if width * height > max_pixels:
        raise LoadError(
            "decode", f"{width} x {height} = {width * height:,} pixels are more than ingest.max_pixels = {max_pixels:,}"
        )
