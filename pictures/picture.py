"""The types of a picture on its way from the file to the models, and the errors of loading it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from settings.errors import DarkroomError

if TYPE_CHECKING:
    # Imported for the types only: the producer lists files without these libraries.
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Pixels: TypeAlias = "NDArray[np.uint8]"


class LoadError(DarkroomError):
    """A file that cannot be loaded as a picture; the text is the reason, for the user.

    `file` is the size and the modification time of a file whose content is the reason: as long as both stay, every try
    ends like this one. None where the next try may end otherwise.
    """

    def __init__(self, stage: str, reason: str, file: tuple[int, int] | None = None) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
        self.file = file


class NoMemory(LoadError):
    """This process had no memory for the picture at this moment."""


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


def with_modified_at(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload, and `modified_at` beside its `mtime`: the same moment in UTC, to the second; None where unknown.

    A text, for `mtime` has more digits than JavaScript and jq can hold.
    """
    mtime = payload.get("mtime")
    if not isinstance(mtime, int):
        return dict(payload)
    moment = None
    # -1 is what servers are noted with that tell neither a time nor a version; some tell times that are none.
    if mtime != -1:
        with suppress(ValueError, OverflowError, OSError):
            moment = datetime.fromtimestamp(mtime // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**payload, "modified_at": moment}


# Gets the number of bytes or pixels that are needed next, before memory is taken for them; it may wait, or raise.
Reserve: TypeAlias = Callable[[int], None]


def no_limit(_size: int) -> None:
    """The Reserve of a process that does not share its memory."""


@dataclass(frozen=True)
class Sidecar:
    """The file of notes beside a picture: its bytes, and its size and modification time, by which a change is seen.

    The bytes are empty where it cannot be read or is too large.
    """

    data: bytes
    version: tuple[int, int]


@dataclass
class Content:
    """The bytes of a file, their hash, and when the file was modified, in nanoseconds as `int64` has it."""

    data: bytes
    sha256: str
    mtime: int
    sidecar: Sidecar | None = None

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def forget(self) -> None:
        """Let go of the bytes."""
        self.data = b""


@dataclass
class OpenedPicture:
    """A picture that is opened; for a RAW file `image` is its preview or what was developed.

    `width` and `height` are those of the original, before it is turned; `orientation` is the EXIF orientation (1 to 8)
    of both the original and `image`; `facts` are what decoding tells beside the pixels.
    """

    image: "Image.Image"
    format: str
    width: int
    height: int
    orientation: int
    facts: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> "OpenedPicture":
        return self

    def __exit__(self, *error: object) -> None:
        self.image.__exit__(*error)

    def is_enough_for(self, min_size: tuple[int, int]) -> bool:
        """True if `image` has at least this size (width, height), or the full size of the original."""
        size = self.image.size
        return (size[0] >= min_size[0] and size[1] >= min_size[1]) or size == (self.width, self.height)


@dataclass
class Picture:
    """A decoded picture, upright and in sRGB, in the sizes of the models.

    `clip`, `blip` and `text` are uint8 RGB of shape (height, width, 3), for the embedder, the captioner and who reads
    text; `width` and `height` are those of the upright original in pixels; `small` is for people, where it was wanted.
    """

    format: str
    width: int
    height: int
    clip: Pixels
    blip: "Pixels | None" = None
    text: "Pixels | None" = None
    facts: dict[str, Any] = field(default_factory=dict)
    small: "Image.Image | None" = None


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise LoadError if a picture of this size has too many pixels; call it before memory is allocated for them."""
    if width * height > max_pixels:
        raise LoadError(
            "decode", f"{width} x {height} = {width * height:,} pixels are more than ingest.max_pixels = {max_pixels:,}"
        )


def check_bytes(size: int, mtime: int, max_bytes: int) -> None:
    """Raise LoadError for a file of no bytes or of too many; call it before memory is allocated for them."""
    if size == 0:
        raise LoadError("read", "the file is empty", (size, mtime))
    if size > max_bytes:
        raise LoadError("read", f"{size:,} bytes are more than ingest.max_bytes = {max_bytes:,}", (size, mtime))
