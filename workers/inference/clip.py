"""CLIP: L2-normalised embeddings of pictures and texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pictures.picture import Pixels
from pictures.preprocessing import fit
from tasks.checkpoint import checkpoint_name
from workers.inference.checkpoints import load_checkpoint
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.precision import SAME_IN_HALF, exact_float32, fastest_seconds, in_precision
from workers.inference.self_check import (
    SAME,
    TEXT,
    difference,
    fast_or_untouched,
    picture,
    processed_picture,
    told,
)
from workers.inference.towers import trimmed_clip

# The pictures of a probe at most: with more of them the memory may be too small, and the comparison is the same.
MAX_PROBE = 32


class Clip:
    """A loaded CLIPModel on one device; it computes `parts` parts of a batch at the same time.

    `notes` says what a person should know of how it is computed. Raises WrongUse or ServiceMissing if the checkpoint
    cannot be loaded; the error says what to do.
    """

    def __init__(self, model: str, device: torch.device, dtype: str, batch: int, parts: int = 1) -> None:
        from transformers import CLIPModel, CLIPProcessor

        untouched, processor, self.model_input = load_checkpoint("clip", model, CLIPModel, CLIPProcessor)
        untouched.to(device)
        self.name = checkpoint_name(model)
        self.dim = int(untouched.config.projection_dim)
        self._context = int(untouched.config.text_config.max_position_embeddings)
        self._tokenizer = processor.tokenizer
        self._device = device
        self._feed = PixelFeed(device, self.model_input)
        self._parallel = ParallelBatches(parts)
        pixels = processed_picture("models.clip", model, processor, self.model_input).to(device)
        with torch.inference_mode():
            with exact_float32():
                expected = self._check_rows(untouched, pixels)
                chosen, note = fast_or_untouched(
                    untouched, lambda: trimmed_clip(untouched), lambda tried: self._compare(tried, expected, SAME)
                )
            precise = in_precision(
                dtype,
                device,
                chosen,
                lambda tried: self._compare(tried, expected, SAME_IN_HALF),
                lambda tried: self._seconds(tried, -(-batch // parts)),
            )
        self._model, self.dtype = precise.model, precise.dtype
        self.notes = told(self.name, note, precise.note)

    def embed_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed uint8 RGB pictures of the size of `model_input`; returns float32 (n, dim), each row of length one."""
        return np.stack(self._parallel(self._embed, pictures))

    @torch.inference_mode()
    def _embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        # CUDA calls return before the work is done: the second half is copied while the first half is computed.
        size = -(-len(pictures) // 2) if self._device.type == "cuda" else len(pictures)
        features = [
            _picture_features(self._model, self._feed(pictures[start : start + size], self.dtype))
            for start in range(0, len(pictures), size)
        ]
        return _unit_rows(torch.cat(features))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, truncated to the model's context; returns float32 (n, dim), each row of length one."""
        return _unit_rows(self._text_features(self._model, texts))

    def _text_features(self, model: Any, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._context, return_tensors="pt"
        ).to(self._device)
        features = model.get_text_features(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        pooled: torch.Tensor = features.pooler_output
        return pooled

    def _check_rows(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat([_picture_features(model, pixels), self._text_features(model, [TEXT])])

    def _compare(self, model: Any, expected: torch.Tensor, least_cosine: float) -> str:
        pixels = self._feed([fit(picture(), self.model_input)], model.dtype)
        return difference(self._check_rows(model, pixels), expected, least_cosine)

    def _seconds(self, model: Any, batch: int) -> float:
        blank = np.zeros((self.model_input.height, self.model_input.width, 3), dtype=np.uint8)
        pixels = self._feed([blank] * min(batch, MAX_PROBE), model.dtype)
        return fastest_seconds(lambda: _picture_features(model, pixels), self._device)


def _picture_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = model.get_image_features(pixel_values=pixels).pooler_output
    return features


def _unit_rows(features: torch.Tensor) -> NDArray[np.float32]:
    # In float32, because in half precision the length would be wrong by up to a thousandth.
    rows = torch.nn.functional.normalize(features.float(), dim=-1)
    return np.ascontiguousarray(rows.cpu().numpy(), dtype=np.float32)
