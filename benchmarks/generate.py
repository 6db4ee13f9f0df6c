"""vs_generate_*: captions per second against `model.generate`.

Twice: one picture at a time in float32, as its documentation shows it, and at its best, in batches of our size and in
bfloat16 where the CPU multiplies it. Both start from the same pixels in memory, at BLIP base's size, and write the same
number of words: random weights never end a sentence. torch has all cores on both sides.
"""

import time
from pathlib import Path

import numpy as np
import torch
from transformers import BlipForConditionalGeneration, BlipProcessor

from benchmarks.efficiency import named
from benchmarks.figures.bounds import Goal, at_least, require_count
from benchmarks.figures.machine import has_short_products
from benchmarks.figures.precisions import told
from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import random_blip_base
from pictures.picture import Pixels
from pictures.preprocessing import blank
from settings import Settings
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.hardware import batch_sizes, cores, parallel_batches
from workers.inference.precision import has_fast_bfloat16


class Generate:
    """The model as Hugging Face loads it, asked for `batch` captions at a time."""

    def __init__(self, checkpoint: Path, tokens: int, batch: int, dtype: torch.dtype) -> None:
        self._model = BlipForConditionalGeneration.from_pretrained(checkpoint, dtype=dtype).eval()
        self._processor = BlipProcessor.from_pretrained(checkpoint)
        self._tokens = tokens
        self._batch = batch
        self._dtype = dtype

    def run(self, shown: list[Pixels]) -> float:
        """Captions per second, with torch on all cores."""
        torch.set_num_threads(cores())
        begin = time.perf_counter()
        written = 0
        for start in range(0, len(shown), self._batch):
            inputs = self._processor(images=shown[start : start + self._batch], return_tensors="pt").to(self._dtype)
            with torch.inference_mode():
                words = self._model.generate(**inputs, max_new_tokens=self._tokens, num_beams=1, do_sample=False)
            written += len(self._processor.batch_decode(words, skip_special_tokens=True))
            require_count(words.shape[1] - 1, self._tokens, "words of a caption were written")
        require_count(written, len(shown), "captions were written")
        return len(shown) / (time.perf_counter() - begin)


def vs_generate_single_float32(scratch: Path, quick: bool) -> list[Figure]:
    """The ratios at the longest caption of the default settings."""
    settings = Settings.model_construct()
    tokens = settings.models.max_caption_tokens
    checkpoint = random_blip_base(scratch / "blip-base-random")
    parts, threads = parallel_batches(settings, "cpu")
    _, batch = batch_sizes(settings, "cpu")
    torch.set_num_threads(threads)
    blip = checkpoint_captioner(str(checkpoint), torch.device("cpu"), "auto", batch, tokens, parts)
    rng = np.random.default_rng(0)
    shape = blank(blip.model_input, 0).shape
    shown = list(rng.integers(0, 256, (batch, *shape), dtype=np.uint8))

    def ours(turn: int) -> float:
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        require_count(len(blip.caption(shown)), len(shown), "captions were written")
        return len(shown) / (time.perf_counter() - begin)

    def against(name: str, given: list[Pixels], size: int, dtype: torch.dtype, goal: Goal | None) -> Figure:
        theirs = Generate(checkpoint, tokens, size, dtype)
        theirs.run(given[:1])
        precisions = f"{told(blip.precision, blip.fidelity)} / {named(dtype)}"
        unit, repeats = f"captions of {tokens} words/s", 1 if quick else REPEATS
        return compare(name, ours, lambda turn: theirs.run(given), unit, repeats, goal, precisions)

    goal = at_least(8, floor=3) if has_short_products() else at_least(3.5, floor=2)
    fastest = torch.bfloat16 if has_fast_bfloat16() else torch.float32
    few = 1 if quick else 3
    return [
        against("vs_generate_single_float32", shown[:few], 1, torch.float32, goal),
        against("vs_generate_best", shown, batch, fastest, None),
    ]
