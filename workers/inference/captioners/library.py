"""Captions by any image-text-to-text model of transformers, as the library prepares and generates them."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from pictures.picture import Pixels
from pictures.preprocessing import WholeInput, blank, fit
from tasks.checkpoint import checkpoint_name
from workers.checkpoints.loading import Source, load_part, read_config, read_processor, read_weights
from workers.inference.captioners.contract import EDGE, QUESTION, CaptionerSetup
from workers.inference.choice import Asked, choose
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import ProcessorFeed
from workers.inference.precision import SAME_IN_HALF, exact_float32, fastest_seconds
from workers.inference.self_check import difference, picture

FLORENCE_TASK = "<CAPTION>"
# They caption a picture without being asked, and compute several batches at the same time without harm.
_ASKED_NOTHING = {"blip-2", "git"}
_STATELESS = {*_ASKED_NOTHING, "florence2"}


class _Loaded(NamedTuple):
    model: Any
    processor: Any
    model_type: str


class LibraryCaptioner:
    """A loaded model; it computes `parts` parts of a batch at the same time where its family allows that."""

    def __init__(self, setup: CaptionerSetup) -> None:
        model, device = setup.model, setup.device
        loaded, self._processor, model_type = load_part("blip", model, _read, setup.report)
        untouched = loaded.to(device).eval()
        self.model_input = WholeInput(EDGE)
        self._max_tokens = setup.max_tokens
        self._device = device
        asked = _asked(self._processor, model_type, setup.prompt)
        self._feed = ProcessorFeed(device, self._processor, **asked)
        # Some families keep what they know of the last batch in the model itself.
        self._lock = None if model_type in _STATELESS else threading.Lock()
        self._parallel = ParallelBatches(setup.parts if self._lock is None else 1)
        self._part = setup.part
        sample = fit(picture(), self.model_input)
        with torch.inference_mode(), exact_float32():
            expected = _first_scores(untouched, self._feed([sample], torch.float32))

        def compare(tried: nn.Module) -> str:
            return difference(_first_scores(tried, self._feed([sample], _dtype(tried))), expected, SAME_IN_HALF)

        def seconds(tried: nn.Module) -> float:
            inputs = self._feed([blank(self.model_input, 0)], _dtype(tried))
            return fastest_seconds(lambda: _first_scores(tried, inputs), device)

        choice = choose(
            checkpoint_name(model), untouched, None, compare, compare, seconds, Asked(setup.dtype, "blip"), device
        )
        self._model, self.dtype, self.notes = choice.model, choice.dtype, choice.notes
        self.precision, self.fidelity = choice.precision, choice.fidelity

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures of any size, in their order."""
        if self._lock is None:
            return self._parallel(self._caption, pictures, self._part)
        with self._lock:
            return self._caption(pictures)

    @torch.inference_mode()
    def _caption(self, pictures: Sequence[Pixels]) -> list[str]:
        inputs = self._feed(pictures, self.dtype)
        tokens = self._model.generate(**inputs, max_new_tokens=self._max_tokens, num_beams=1, do_sample=False)
        asked = inputs.get("input_ids")
        # A decoder repeats what it was asked in front of its answer; an encoder and decoder does not.
        if (
            asked is not None
            and tokens.shape[1] >= asked.shape[1]
            and bool((tokens[:, : asked.shape[1]] == asked).all())
        ):
            tokens = tokens[:, asked.shape[1] :]
        return [text.strip() for text in self._processor.batch_decode(tokens, skip_special_tokens=True)]


def _read(source: Source) -> _Loaded:
    from transformers import AutoModelForImageTextToText

    config = read_config(source)
    model = read_weights(source, AutoModelForImageTextToText, config, config)
    processor = read_processor(source)
    # The last token of each picture's row must be the last one of its question, for the answer follows it.
    processor.tokenizer.padding_side = "left"
    return _Loaded(model, processor, str(config.model_type))


def _asked(processor: Any, model_type: str, prompt: str) -> dict[str, Any]:
    """What the processor gets with each picture, by name."""
    if model_type in _ASKED_NOTHING and not prompt:
        return {}
    if model_type == "florence2":
        return {"text": prompt or FLORENCE_TASK}
    question = prompt or QUESTION
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}, {"type": "text", "text": question}]
        turns = [{"role": "user", "content": content}]
        question = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return {"text": question, "padding": True}


def _first_scores(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The scores of all tokens for the first one of each caption, (n, vocabulary)."""
    answer = model.generate(
        **inputs,
        max_new_tokens=1,
        num_beams=1,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
    )
    scores: torch.Tensor = answer.logits[0]
    return scores


def _dtype(model: Any) -> torch.dtype:
    dtype: torch.dtype = next(model.parameters()).dtype
    return dtype
