"""What every captioner is once it is loaded, and what those have in common that are asked in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pictures.picture import Pixels
from workers.checkpoints.lazy import Report, silent
from workers.inference.lazy_model import Loaded

if TYPE_CHECKING:
    import torch

# The longer edge of a picture that others prepare: Florence-2 sees 768 x 768, and most models less.
EDGE = 1024
# What a model is asked in words where the settings say nothing.
QUESTION = "Describe this picture in one sentence."


@dataclass(frozen=True)
class CaptionerSetup:
    """How a checkpoint is loaded: where it computes and in which precision, at most how many pictures and tokens at a
    time, in how many parts of a batch side by side, what it is asked, and who hears of the progress.
    """

    model: str
    device: "torch.device"
    dtype: str
    batch: int
    max_tokens: int
    parts: int = 1
    prompt: str = ""
    report: Report = silent

    @property
    def part(self) -> int:
        """The pictures that one part of a batch has at most."""
        return -(-self.batch // self.parts)


class WritesCaptions(Loaded, Protocol):
    """A captioner that is loaded."""

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures as `model_input` has them, in their order."""
