"""L2-normalised embeddings of pictures and texts, by a CLIP or another model with a half for each.

What pictures need takes seconds to import, so that is done with the half for pictures. The texts of a CLIP do without.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pictures.picture import Pixels
from tasks.checkpoint import checkpoint_name, preprocessing_in
from workers.checkpoints.errors import check_folder
from workers.checkpoints.lazy import Lazy, Report, given, silent
from workers.inference.embedders.clip_text_tower import TextTower
from workers.inference.lazy_model import LazyModel

if TYPE_CHECKING:
    import torch

    from workers.inference.embedders.vision_tower import VisionTower

log = logging.getLogger("darkroom.gpu")


class EmbedsTexts(Protocol):
    """A tower for texts."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts; returns float32 (n, dim), each row of length one."""

    def is_cut(self, text: str) -> bool:
        """True where the text is longer than the model's context."""


class Embedder(LazyModel["VisionTower"]):
    """A checkpoint as two towers, of which each is loaded when it is first used.

    Whoever first uses a tower may get WrongUse or ServiceMissing, with a sentence that says what to do; a folder that
    is not there is refused at once. `device` says where pictures are computed; `dtype`, `batch` and `parts` are theirs
    too. `report` hears of what is loaded.
    """

    def __init__(
        self,
        model: str,
        device: "torch.device | Lazy[torch.device]",
        dtype: str,
        batch: int,
        parts: int = 1,
        report: Report = silent,
    ) -> None:
        check_folder("clip", model)
        # Of a batch, that are computed at the same time; each may be brought by a thread of its own.
        self.parts = parts

        def vision() -> "VisionTower":
            from workers.inference.embedders.vision_tower import VisionTower

            return VisionTower(model, given(device), dtype, batch, parts, report)

        def text() -> EmbedsTexts:
            try:
                return TextTower(model)
            except Exception as error:  # whatever is wrong with it: the library says it, or does it
                log.info("texts are embedded by transformers: %s: %s", type(error).__name__, error)
            from workers.inference.embedders.library_text_tower import LibraryTextTower

            return LibraryTextTower(model, given(device), report)

        super().__init__(checkpoint_name(model), vision, "loading the model for pictures", report)
        self.vision = self.loaded
        self.text = Lazy(text, "loading the model for texts", report)

    def load_pictures(self) -> None:
        """Load the vision tower, unless it is loaded."""
        self.vision()

    def load_texts(self) -> None:
        """Load the text tower, unless it is loaded."""
        self.text()

    @property
    def dim(self) -> int:
        """The numbers of an embedding."""
        return self.vision().dim

    @property
    def preprocessing(self) -> str:
        """The version of the preprocessing in the key of reuse, with the precision where it belongs there."""
        return preprocessing_in(self.vision().precision)

    def embed_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed uint8 RGB pictures of the size of `model_input`; returns float32 (n, dim), each row of length one."""
        return self.vision().embed(pictures)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, truncated to the model's context; returns float32 (n, dim), each row of length one."""
        return self.text().embed(texts)

    def is_cut(self, text: str) -> bool:
        """True where the text is longer than the model's context, so that its end is not looked at."""
        return self.text().is_cut(text)
