"""The outcomes of files: why a file failed, how many files have which outcome, and their bitmaps."""

from dataclasses import dataclass

OUTCOMES = ("stored", "failed", "skipped", "reused")


@dataclass(frozen=True)
class Failure:
    """Why a file failed: the stage, and the reason as a sentence."""

    number: int
    uri: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """The number of files with each outcome; `reused` is a part of `stored`."""

    stored: int = 0
    failed: int = 0
    skipped: int = 0
    reused: int = 0

    @property
    def finished(self) -> int:
        """Files that need nothing more."""
        return self.stored + self.failed + self.skipped


def has_bit(bitmap: bytes, offset: int) -> bool:
    """Whether a bit of a bitmap is set; beyond its end none is."""
    # Redis numbers the bits of a byte from the most significant one.
    index = offset // 8
    return index < len(bitmap) and bool(bitmap[index] >> (7 - offset % 8) & 1)
