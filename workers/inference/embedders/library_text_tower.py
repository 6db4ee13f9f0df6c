"""The half of an embedder that embeds texts, as the library runs it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from workers.checkpoints.lazy import Report, silent
from workers.checkpoints.loading import load_part
from workers.inference.embedders.families import read_text_half
from workers.inference.embedders.rows import unit_rows


class LibraryTextTower:
    """The half that embeds texts, in float32."""

    def __init__(self, model: str, device: torch.device, report: Report = silent) -> None:
        half = load_part("clip", model, read_text_half, report)
        self._model = half.model.to(device).eval()
        self._half = half
        self._device = device

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, truncated to the model's context; returns float32 (n, dim), each row of length one."""
        tokens = self._half.tokenizer(
            [self._as_trained(text) for text in texts],
            padding="max_length" if self._half.fills_up else True,
            truncation=True,
            max_length=self._half.context,
            return_tensors="pt",
        ).to(self._device)
        return unit_rows(self._model(**tokens))

    def is_cut(self, text: str) -> bool:
        """True where the text is longer than the model's context, so that its end is not looked at."""
        return len(self._half.tokenizer(self._as_trained(text)).input_ids) > self._half.context

    def _as_trained(self, text: str) -> str:
        return text.lower() if self._half.lowers else text
