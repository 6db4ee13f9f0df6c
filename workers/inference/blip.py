"""BLIP: captions for pictures, by greedy decoding."""

import copy
from collections.abc import Sequence

import numpy as np
import torch

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from tasks.checkpoint import checkpoint_name
from workers.inference.checkpoints import load_checkpoint
from workers.inference.greedy import GreedyDecoder, is_supported
from workers.inference.hardware import fastest_seconds, pick_dtype
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.towers import trim_blip

# On a CPU: the widest layer of four pictures takes 28 MB. From 32 MB on, glibc asks the kernel for new memory in every
# layer (mallopt(3), M_MMAP_THRESHOLD), and the kernel clears it each time.
CPU_ENCODE_BATCH = 4


class Blip:
    """A loaded BlipForConditionalGeneration on one device; it computes `parts` parts of a batch at the same time.

    Raises WrongUse or ServiceMissing if the checkpoint cannot be loaded; the error says what to do.
    """

    def __init__(
        self, model: str, device: torch.device, dtype: str, batch: int, max_tokens: int, parts: int = 1
    ) -> None:
        from transformers import BlipForConditionalGeneration, BlipProcessor

        loaded, processor = load_checkpoint(
            "models.blip", model, "blip", BlipForConditionalGeneration.from_pretrained, BlipProcessor.from_pretrained
        )
        self._model = loaded.eval()
        trim_blip(self._model.vision_model)
        self._model.to(device)
        decoder = self._model.text_decoder
        self._decoder = GreedyDecoder(decoder) if is_supported(decoder.generation_config) else None
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
        self._parallel = ParallelBatches(parts)
        # The start token takes a position too, and the decoder has an embedding for so many positions only.
        self._max_tokens = min(max_tokens, self._model.config.text_config.max_position_embeddings - 2)
        self.dtype = pick_dtype(dtype, device, lambda candidate: self._probe(candidate, batch))
        self._model.to(self.dtype)
        self.caption([self._blank_picture()] * parts)

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures of the size of `model_input`, in their order."""
        return self._parallel(self._caption, pictures)

    @torch.inference_mode()
    def _caption(self, pictures: Sequence[Pixels]) -> list[str]:
        pixels = self._feed(pictures, self.dtype)
        if self._decoder is not None:
            tokens = self._decoder(self._encode(pixels), self._max_tokens)
        else:
            tokens = self._model.generate(
                pixel_values=pixels, max_new_tokens=self._max_tokens, num_beams=1, do_sample=False
            )
        return [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        size = len(pixels) if self._device.type == "cuda" else CPU_ENCODE_BATCH
        return torch.cat([self._model.vision_model(pixel_values=part).last_hidden_state for part in pixels.split(size)])

    def _blank_picture(self) -> Pixels:
        return np.zeros((self.model_input.height, self.model_input.width, 3), dtype=np.uint8)

    def _probe(self, dtype: torch.dtype, batch: int) -> float:
        # On a copy: weights that are converted to a lower precision stay rounded when they are converted back.
        model = copy.deepcopy(self._model.vision_model).to(dtype)
        pixels = self._feed([self._blank_picture()] * min(batch, 2), dtype)
        with torch.inference_mode():
            return fastest_seconds(lambda: model(pixel_values=pixels), self._device, repeats=1)
