"""BLIP: captions for pictures, by greedy decoding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from pictures.picture import Pixels
from pictures.preprocessing import fit
from tasks.checkpoint import checkpoint_name
from workers.inference.checkpoints import load_checkpoint
from workers.inference.greedy import GreedyDecoder
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.precision import SAME_IN_HALF, exact_float32, fastest_seconds, in_precision
from workers.inference.self_check import difference, fast_or_untouched, picture, processed_picture, told
from workers.inference.towers import trimmed_blip

# On a CPU: the widest layer of four pictures takes 28 MB. From 32 MB on, glibc asks the kernel for new memory in every
# layer (mallopt(3), M_MMAP_THRESHOLD), and the kernel clears it each time.
CPU_ENCODE_BATCH = 4
# The words of the caption that is compared with the library's when the model is loaded.
CHECKED_WORDS = 12


class UntouchedBlip(nn.Module):
    """A BlipForConditionalGeneration as the library runs it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The pictures as the decoder sees them, (n, patches, width)."""
        encoded: torch.Tensor = self.model.vision_model(pixel_values=pixels).last_hidden_state
        return encoded

    def tokens(self, pixels: torch.Tensor, max_tokens: int) -> torch.Tensor:
        """The token ids of the captions, (n, at most max_tokens)."""
        tokens: torch.Tensor = self.model.generate(
            pixel_values=pixels, max_new_tokens=max_tokens, num_beams=1, do_sample=False
        )
        return tokens[:, 1:]

    def scores(self, pixels: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The scores of all words, (n, length, vocabulary), at each place of captions (n, length) that are given."""
        starts = torch.full_like(tokens[:, :1], self.model.config.text_config.bos_token_id)
        shown = torch.cat([starts, tokens[:, :-1]], dim=1)
        scores: torch.Tensor = self.model(pixel_values=pixels, input_ids=shown).logits
        return scores


class FastBlip(nn.Module):
    """The same results for less work, with the weights of a BlipForConditionalGeneration."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.vision_model = trimmed_blip(model.vision_model)
        self.text_decoder = model.text_decoder

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The pictures as the decoder sees them, (n, patches, width)."""
        size = len(pixels) if pixels.device.type == "cuda" else CPU_ENCODE_BATCH
        return torch.cat([self.vision_model(pixel_values=part).last_hidden_state for part in pixels.split(size)])

    def tokens(self, pixels: torch.Tensor, max_tokens: int) -> torch.Tensor:
        """The token ids of the captions, (n, at most max_tokens)."""
        return GreedyDecoder(self.text_decoder)(self.encode(pixels), max_tokens)

    def scores(self, pixels: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The scores of all words, (n, length, vocabulary), at each place of captions (n, length) that are given."""
        return GreedyDecoder(self.text_decoder).scores(self.encode(pixels), tokens)


class Blip:
    """A loaded BlipForConditionalGeneration on one device; it computes `parts` parts of a batch at the same time.

    `notes` says what a person should know of how it is computed. Raises WrongUse or ServiceMissing if the checkpoint
    cannot be loaded; the error says what to do.
    """

    def __init__(
        self, model: str, device: torch.device, dtype: str, batch: int, max_tokens: int, parts: int = 1
    ) -> None:
        from transformers import BlipForConditionalGeneration, BlipProcessor

        loaded, processor, self.model_input = load_checkpoint(
            "blip", model, BlipForConditionalGeneration, BlipProcessor
        )
        untouched = UntouchedBlip(loaded.to(device)).eval()
        self.name = checkpoint_name(model)
        self._tokenizer = processor.tokenizer
        self._device = device
        self._feed = PixelFeed(device, self.model_input)
        self._parallel = ParallelBatches(parts)
        # The start token takes a position too, and the decoder has an embedding for so many positions only.
        self._max_tokens = min(max_tokens, loaded.config.text_config.max_position_embeddings - 2)
        pixels = processed_picture("models.blip", model, processor, self.model_input).to(device)

        def compare_words(tried: Any) -> str:
            found, right = self._words(tried.tokens(self._check_pixels(tried), CHECKED_WORDS)), self._words(tokens)
            return "" if found == right else f"the caption {found[0]!r} in place of {right[0]!r}"

        def compare_scores(tried: Any) -> str:
            with exact_float32():
                expected = untouched.scores(pixels, tokens)
            return difference(tried.scores(self._check_pixels(tried), tokens), expected, SAME_IN_HALF)

        with torch.inference_mode():
            with exact_float32():
                tokens = untouched.tokens(pixels, CHECKED_WORDS)
                chosen, note = fast_or_untouched(untouched, lambda: FastBlip(loaded).eval(), compare_words)
            precise = in_precision(
                dtype, device, chosen, compare_scores, lambda tried: self._seconds(tried, -(-batch // parts))
            )
        self._model, self.dtype = precise.model, precise.dtype
        self.notes = told(self.name, note, precise.note)

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures of the size of `model_input`, in their order."""
        return self._parallel(self._caption, pictures)

    @torch.inference_mode()
    def _caption(self, pictures: Sequence[Pixels]) -> list[str]:
        return self._words(self._model.tokens(self._feed(pictures, self.dtype), self._max_tokens))

    def _words(self, tokens: torch.Tensor) -> list[str]:
        return [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _check_pixels(self, model: Any) -> torch.Tensor:
        return self._feed([fit(picture(), self.model_input)], next(model.parameters()).dtype)

    def _seconds(self, model: Any, batch: int) -> float:
        blank = np.zeros((self.model_input.height, self.model_input.width, 3), dtype=np.uint8)
        # On a CPU, where this is asked, a batch is encoded in parts of this size.
        pixels = self._feed([blank] * min(batch, CPU_ENCODE_BATCH), next(model.parameters()).dtype)
        return fastest_seconds(lambda: model.encode(pixels), self._device)
