"""CLIP: L2-normalised embeddings of pictures and texts."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from tasks.checkpoint import checkpoint_name
from workers.inference.checkpoints import load_checkpoint
from workers.inference.hardware import fastest_seconds, pick_dtype
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.towers import trim_clip


class Clip:
    """A loaded CLIPModel on one device; it computes `parts` parts of a batch at the same time.

    Raises WrongUse or ServiceMissing if the checkpoint cannot be loaded; the error says what to do.
    """

    def __init__(self, model: str, device: torch.device, dtype: str, batch: int, parts: int = 1) -> None:
        from transformers import CLIPModel, CLIPProcessor

        loaded, processor = load_checkpoint(
            "models.clip", model, "clip", CLIPModel.from_pretrained, CLIPProcessor.from_pretrained
        )
        self._model = loaded.eval()
        trim_clip(self._model.vision_model)
        self._model.to(device)
        self.name = checkpoint_name(model)
        self.dim = int(self._model.config.projection_dim)
        self._tokenizer = processor.tokenizer
        images = processor.image_processor
        self.model_input = ModelInput(
            width=images.crop_size["width"],
            height=images.crop_size["height"],
            edge=images.size.get("shortest_edge") or images.size["height"],
            crop=True,
            resample=int(images.resample),
            mean=tuple(images.image_mean),
            std=tuple(images.image_std),
        )
        self._device = device
        self._feed = PixelFeed(device, self.model_input)
        self._parallel = ParallelBatches(parts)
        self.dtype = pick_dtype(dtype, device, lambda candidate: self._probe(candidate, batch))
        self._model.to(self.dtype)
        self.embed_pictures([self._blank_picture()] * parts)

    def embed_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed uint8 RGB pictures of the size of `model_input`; returns float32 (n, dim), each row of length one."""
        return np.stack(self._parallel(self._embed, pictures))

    @torch.inference_mode()
    def _embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        # CUDA calls return before the work is done: the second half is copied while the first half is computed.
        size = -(-len(pictures) // 2) if self._device.type == "cuda" else len(pictures)
        pooled = [
            self._model.vision_model(pixel_values=self._feed(pictures[start : start + size], self.dtype)).pooler_output
            for start in range(0, len(pictures), size)
        ]
        return self._normalize(self._model.visual_projection(torch.cat(pooled)))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, truncated to the model's context; returns float32 (n, dim), each row of length one."""
        tokens = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._device)
        pooled = self._model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output
        return self._normalize(self._model.text_projection(pooled))

    def _normalize(self, features: torch.Tensor) -> NDArray[np.float32]:
        # In float32, because in half precision the length would be wrong by up to a thousandth.
        rows = torch.nn.functional.normalize(features.float(), dim=-1)
        return np.ascontiguousarray(rows.cpu().numpy(), dtype=np.float32)

    def _blank_picture(self) -> Pixels:
        return np.zeros((self.model_input.height, self.model_input.width, 3), dtype=np.uint8)

    def _probe(self, dtype: torch.dtype, batch: int) -> float:
        # On a copy: weights that are converted to a lower precision stay rounded when they are converted back.
        model = copy.deepcopy(self._model.vision_model).to(dtype)
        pixels = self._feed([self._blank_picture()] * min(batch, 8), dtype)
        with torch.inference_mode():
            return fastest_seconds(lambda: model(pixel_values=pixels), self._device)
