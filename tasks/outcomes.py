"""How files end: why one failed, how many of a job ended how, and the bit that says it."""

from dataclasses import dataclass

OUTCOMES = ("stored", "failed", "skipped", "reused")


@dataclass(frozen=True)
class Failure:
    """Why one file failed: at which stage, and the reason in words."""

    number: int
    uri: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """How many files ended how; `reused` is a part of `stored`."""

    stored: int = 0
    failed: int = 0
    skipped: int = 0
    reused: int = 0

    @property
    def finished(self) -> int:
        """Files that need nothing more."""
        return self.stored + self.failed + self.skipped


def has_bit(stretch: bytes, offset: int) -> bool:
    """Whether a bit of a stretch of a bitmap is set; beyond its end none is."""
    # Redis numbers the bits of a byte from the most significant one.
    place = offset // 8
    return place < len(stretch) and bool(stretch[place] >> (7 - offset % 8) & 1)
