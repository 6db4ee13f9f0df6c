"""CLIP: pictures and texts to L2-normalised embeddings."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from tasks.checkpoint import checkpoint_name
from workers.inference.checkpoints import load_checkpoint
from workers.inference.hardware import best_of, pick_dtype
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.towers import trim_clip


class Clip:
    """A warm CLIPModel on one device; `streams` parts of a batch go through it at the same time.

    Raises WrongUse or ServiceMissing when the checkpoint cannot be had; the sentence says what to do.
    """

    def __init__(self, model: str, device: torch.device, dtype: str, batch: int, streams: int = 1) -> None:
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
        self._streams = ParallelBatches(streams)
        self.dtype = pick_dtype(dtype, device, lambda candidate: self._probe(candidate, batch))
        self._model.to(self.dtype)
        self.embed_pictures([self._blank()] * streams)

    def embed_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed uint8 RGB pictures of (target.height, target.width, 3); float32 of (n, dim), each row of length one."""
        return np.stack(self._streams(self._embed, pictures))

    @torch.inference_mode()
    def _embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        # CUDA makes nobody wait before the results are asked for: half is copied while the other half is computed.
        size = -(-len(pictures) // 2) if self._device.type == "cuda" else len(pictures)
        pooled = [
            self._model.vision_model(pixel_values=self._feed(pictures[begin : begin + size], self.dtype)).pooler_output
            for begin in range(0, len(pictures), size)
        ]
        return self._normalised(self._model.visual_projection(torch.cat(pooled)))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, cut off at the model's context; float32 of (n, dim), each row of length one."""
        tokens = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._device)
        pooled = self._model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output
        return self._normalised(self._model.text_projection(pooled))

    def _normalised(self, features: torch.Tensor) -> NDArray[np.float32]:
        # Normalised in float32: in half precision the length would be off by up to a thousandth.
        rows = torch.nn.functional.normalize(features.float(), dim=-1)
        return np.ascontiguousarray(rows.cpu().numpy(), dtype=np.float32)

    def _blank(self) -> Pixels:
        return np.zeros((self.model_input.height, self.model_input.width, 3), dtype=np.uint8)

    def _probe(self, dtype: torch.dtype, batch: int) -> float:
        # On a copy: weights that were rounded for a probe stay rounded whatever they are turned into afterwards.
        model = copy.deepcopy(self._model.vision_model).to(dtype)
        pixels = self._feed([self._blank()] * min(batch, 8), dtype)
        with torch.inference_mode():
            return best_of(lambda: model(pixel_values=pixels), self._device)
