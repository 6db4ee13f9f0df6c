"""BLIP: pictures to captions by greedy generation."""

import copy
from collections.abc import Sequence

import numpy as np
import torch

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from tasks.checkpoint import checkpoint_name
from workers.inference.checkpoints import load_checkpoint
from workers.inference.greedy import Greedy, is_plain
from workers.inference.hardware import best_of, pick_dtype
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.towers import trim_blip

# On a CPU: the widest layer of four pictures takes 28 MB. From 32 MB on, glibc maps memory anew for every layer
# (mallopt(3), M_MMAP_THRESHOLD), and the kernel clears it each time.
PICTURES_AT_ONCE = 4


class Blip:
    """A warm BlipForConditionalGeneration on one device; `streams` parts of a batch go through it at the same time.

    Raises WrongUse or ServiceMissing when the checkpoint cannot be had; the sentence says what to do.
    """

    def __init__(
        self, model: str, device: torch.device, dtype: str, batch: int, max_tokens: int, streams: int = 1
    ) -> None:
        from transformers import BlipForConditionalGeneration, BlipProcessor

        loaded, processor = load_checkpoint(
            "models.blip", model, "blip", BlipForConditionalGeneration.from_pretrained, BlipProcessor.from_pretrained
        )
        self._model = loaded.eval()
        trim_blip(self._model.vision_model)
        self._model.to(device)
        decoder = self._model.text_decoder
        self._greedy = Greedy(decoder) if is_plain(decoder.generation_config) else None
        self.name = checkpoint_name(model)
        self._tokenizer = processor.tokenizer
        images = processor.image_processor
        self.model_input = ModelInput(
            width=images.size["width"],
            height=images.size["height"],
            edge=0,
            crop=False,
            resample=int(images.resample),
            mean=tuple(images.image_mean),
            std=tuple(images.image_std),
        )
        self._device = device
        self._feed = PixelFeed(device, self.model_input)
        self._streams = ParallelBatches(streams)
        # The start token counts as well, and positions end where the decoder's table ends.
        self._max_tokens = min(max_tokens, self._model.config.text_config.max_position_embeddings - 2)
        self.dtype = pick_dtype(dtype, device, lambda candidate: self._probe(candidate, batch))
        self._model.to(self.dtype)
        self.caption([self._blank()] * streams)

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """Captions of uint8 RGB pictures of (target.height, target.width, 3), in their order."""
        return self._streams(self._caption, pictures)

    @torch.inference_mode()
    def _caption(self, pictures: Sequence[Pixels]) -> list[str]:
        pixels = self._feed(pictures, self.dtype)
        if self._greedy is not None:
            tokens = self._greedy(self._encoded(pixels), self._max_tokens)
        else:
            tokens = self._model.generate(
                pixel_values=pixels, max_new_tokens=self._max_tokens, num_beams=1, do_sample=False
            )
        return [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _encoded(self, pixels: torch.Tensor) -> torch.Tensor:
        at_once = len(pixels) if self._device.type == "cuda" else PICTURES_AT_ONCE
        parts = [self._model.vision_model(pixel_values=part).last_hidden_state for part in pixels.split(at_once)]
        return torch.cat(parts)

    def _blank(self) -> Pixels:
        return np.zeros((self.model_input.height, self.model_input.width, 3), dtype=np.uint8)

    def _probe(self, dtype: torch.dtype, batch: int) -> float:
        # On a copy: weights that were rounded for a probe stay rounded whatever they are turned into afterwards.
        model = copy.deepcopy(self._model.vision_model).to(dtype)
        pixels = self._feed([self._blank()] * min(batch, 2), dtype)
        with torch.inference_mode():
            return best_of(lambda: model(pixel_values=pixels), self._device, repeats=1)
