"""BLIP: captions for pictures, by greedy decoding."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput, blank, fit
from tasks.checkpoint import checkpoint_name
from workers.checkpoints.loading import (
    Source,
    load_part,
    read_config,
    read_image_processor,
    read_tokenizer,
    read_weights,
)
from workers.inference.accelerators import is_accelerator
from workers.inference.captioners.blip_layers import attend_in, read_pictures_in, trimmed_blip
from workers.inference.captioners.contract import CaptionerSetup
from workers.inference.captioners.greedy import GreedyDecoder
from workers.inference.captioners.static_greedy import StaticGreedyDecoder, checked_decoder
from workers.inference.captioners.word_graph import WordGraphs
from workers.inference.choice import Asked, choose
from workers.inference.layers.onednn import linear_layers
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed
from workers.inference.precision import SAME_IN_HALF, exact_float32, fastest_seconds, has_fast_bfloat16
from workers.inference.probe.fidelity import of_captions
from workers.inference.probe.pictures import drawn
from workers.inference.probe.probe import INT8, INT8_TOWER, Subject, probe
from workers.inference.probe.rows import Row
from workers.inference.self_check import difference, picture, processed_picture

# On a CPU: the widest layer of two pictures takes 14 MB. Of four it is no longer in the caches when the next step reads
# it, and from 32 MB on, glibc asks the kernel for new memory in every layer (mallopt(3), M_MMAP_THRESHOLD), which the
# kernel clears each time.
CPU_ENCODE_BATCH = 2
# The words of the caption that is compared with the library's when the model is loaded.
CHECKED_WORDS = 12
# The words of the captions of the probe at most, and its pictures: more of them cost a start minutes of a core.
PROBED_WORDS = 10
PROBED_PICTURES = 16
# The pictures whose captions are timed: in float32 a few seconds of a core.
PROBED_BATCH = 2


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
        size = len(pixels) if is_accelerator(pixels.device) else CPU_ENCODE_BATCH
        return torch.cat([self.vision_model(pixel_values=part).last_hidden_state for part in pixels.split(size)])

    def tokens(self, pixels: torch.Tensor, max_tokens: int) -> torch.Tensor:
        """The token ids of the captions, (n, at most max_tokens)."""
        if is_accelerator(pixels.device):
            return StaticGreedyDecoder(self.text_decoder, len(pixels), max_tokens)(self.encode(pixels))
        return GreedyDecoder(self.text_decoder)(self.encode(pixels), max_tokens)

    def scores(self, pixels: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The scores of all words, (n, length, vocabulary), at each place of captions (n, length) that are given."""
        return GreedyDecoder(self.text_decoder).scores(self.encode(pixels), tokens)


def int8_layers(model: FastBlip) -> dict[str, list[str]]:
    """The layers that each int8 precision of the model has: of both halves, or of the vision tower alone."""
    # Of these the decoder reads the weights (greedy.py).
    apart = (".crossattention.self.key", ".crossattention.self.value")
    names = [name for name in linear_layers(model) if not name.endswith(apart)]
    return {INT8: names, INT8_TOWER: [name for name in names if name.startswith("vision_model.")]}


def around_int8(model: FastBlip, precision: str) -> None:
    """What multiplies no weights, the attention, in bfloat16 where the processor multiplies it; for pictures alone, or
    in both halves.
    """
    if not has_fast_bfloat16():
        return
    attend_in(torch.bfloat16, model.vision_model)
    if precision == INT8:
        read_pictures_in(torch.bfloat16, model.text_decoder)


class _Loaded(NamedTuple):
    model: Any
    tokenizer: Any
    processor: Any
    model_input: ModelInput


def _read(source: Source) -> _Loaded:
    from transformers import BlipForConditionalGeneration

    config = read_config(source)
    loaded = read_weights(source, BlipForConditionalGeneration, config, config)
    side = int(config.vision_config.image_size)
    return _Loaded(loaded, read_tokenizer(source), *read_image_processor(source, side))


class LoadedBlip:
    """A loaded BlipForConditionalGeneration; it computes `parts` parts of a batch at the same time."""

    def __init__(self, setup: CaptionerSetup) -> None:
        model, device = setup.model, setup.device
        loaded, self._tokenizer, processor, self.model_input = load_part("blip", model, _read, setup.report)
        untouched = UntouchedBlip(loaded.to(device)).eval()
        self._device = device
        self._feed = PixelFeed(device, self.model_input)
        self._parallel = ParallelBatches(setup.parts)
        self._part = setup.part
        # The start token takes a position too, and the decoder has an embedding for so many positions only.
        self._max_tokens = min(setup.max_tokens, loaded.config.text_config.max_position_embeddings - 2)
        pixels = processed_picture("models.blip", model, processor, self.model_input).to(device)
        with torch.inference_mode(), exact_float32():
            tokens = untouched.tokens(pixels, CHECKED_WORDS)

        def compare_words(tried: Any) -> str:
            found, right = self._words(tried.tokens(self._check_pixels(tried), CHECKED_WORDS)), self._words(tokens)
            return "" if found == right else f"the caption {found[0]!r} in place of {right[0]!r}"

        def compare_scores(tried: Any) -> str:
            with exact_float32():
                expected = untouched.scores(pixels, tokens)
            return difference(tried.scores(self._check_pixels(tried), tokens), expected, SAME_IN_HALF)

        choice = choose(
            checkpoint_name(model),
            untouched,
            lambda: FastBlip(loaded).eval(),
            compare_words,
            compare_scores,
            lambda tried: self._seconds(tried, self._part),
            Asked(setup.dtype, "blip", setup.parts, setup.report),
            device,
            self._subject,
        )
        self._model, self.dtype, self.notes = choice.model, choice.dtype, choice.notes
        self.precision, self.fidelity = choice.precision, choice.fidelity
        self._decoder = None
        if is_accelerator(device) and isinstance(self._model, FastBlip):
            record = WordGraphs(device) if device.type == "cuda" else None
            with torch.inference_mode():
                encoded = self._model.encode(self._check_pixels(self._model))
            self._decoder = checked_decoder(self._model.text_decoder, encoded, setup.batch, self._max_tokens, record)

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures of the size of `model_input`, in their order."""
        return self._parallel(self._caption, pictures, self._part)

    def candidates(self) -> list[Row]:
        """The precisions of a captioner that was loaded in float32 on a CPU, measured and compared; float32 first."""
        return probe(self._model, self._subject(self._model), thorough=True)[1]

    def _subject(self, model: nn.Module) -> Subject[list[str]]:
        """What the probe is asked about a form of the model in float32."""

        @cache
        def shown() -> list[Pixels]:
            return [fit(each, self.model_input) for each in drawn(PROBED_PICTURES)]

        def tokens(tried: Any, pictures: Sequence[Pixels]) -> torch.Tensor:
            pixels = self._feed(pictures, next(tried.parameters()).dtype)
            found: torch.Tensor = tried.tokens(pixels, min(PROBED_WORDS, self._max_tokens))
            return found

        def seconds(tried: nn.Module) -> float:
            some = shown()[:PROBED_BATCH]
            return fastest_seconds(lambda: tokens(tried, some), self._device) / len(some)

        def results(tried: nn.Module, count: int) -> list[str]:
            def caption(some: Sequence[Pixels]) -> list[str]:
                with torch.inference_mode():
                    return self._words(tokens(tried, some))

            return self._parallel(caption, shown()[:count])

        layers = int8_layers(model) if isinstance(model, FastBlip) else {}
        return Subject(seconds, results, of_captions, layers, around_int8)

    @torch.inference_mode()
    def _caption(self, pictures: Sequence[Pixels]) -> list[str]:
        pixels = self._feed(pictures, self.dtype)
        if self._decoder is None:
            return self._words(self._model.tokens(pixels, self._max_tokens))
        return self._words(self._decoder(self._model.encode(pixels)))

    def _words(self, tokens: torch.Tensor) -> list[str]:
        return [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _check_pixels(self, model: Any) -> torch.Tensor:
        return self._feed([fit(picture(), self.model_input)], next(model.parameters()).dtype)

    def _seconds(self, model: Any, batch: int) -> float:
        # On a CPU, where this is asked, a batch is encoded in parts of this size.
        pixels = self._feed([blank(self.model_input, 0)] * min(batch, CPU_ENCODE_BATCH), next(model.parameters()).dtype)
        return fastest_seconds(lambda: model.encode(pixels), self._device)
