"""vs_generate_single_float32: captions per second against `model.generate`, one picture at a time in float32.

Both start from the same pixels in memory, at BLIP base's size, and write the same number of words: random weights never
end a sentence. torch has all cores on both sides.
"""

import time
from pathlib import Path

import numpy as np
import torch
from transformers import BlipForConditionalGeneration, BlipProcessor

from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import random_blip_base
from pictures.picture import Pixels
from settings import Settings
from workers.inference.blip import Blip
from workers.inference.hardware import batch_sizes, cores, parallel_batches


class Single:
    """The model as Hugging Face loads it."""

    def __init__(self, checkpoint: Path, tokens: int) -> None:
        self._model = BlipForConditionalGeneration.from_pretrained(checkpoint).eval()
        self._processor = BlipProcessor.from_pretrained(checkpoint)
        self._tokens = tokens

    def run(self, shown: list[Pixels]) -> float:
        """Captions per second."""
        torch.set_num_threads(cores())
        begin = time.perf_counter()
        for picture in shown:
            inputs = self._processor(images=picture, return_tensors="pt")
            with torch.inference_mode():
                words = self._model.generate(**inputs, max_new_tokens=self._tokens, num_beams=1, do_sample=False)
            self._processor.decode(words[0], skip_special_tokens=True)
            if words.shape[1] != self._tokens + 1:
                raise RuntimeError(f"a caption of {words.shape[1] - 1} words and not of {self._tokens}")
        return len(shown) / (time.perf_counter() - begin)


def vs_generate_single_float32(scratch: Path, quick: bool) -> list[Figure]:
    """The ratio at the longest caption of the default settings."""
    settings = Settings.model_construct()
    tokens = settings.models.max_caption_tokens
    checkpoint = random_blip_base(scratch / "blip-base-random")
    parts, threads = parallel_batches(settings, "cpu")
    _, batch = batch_sizes(settings, "cpu")
    torch.set_num_threads(threads)
    blip = Blip(str(checkpoint), torch.device("cpu"), "auto", batch, tokens, parts)
    single = Single(checkpoint, tokens)
    rng = np.random.default_rng(0)
    shown = list(rng.integers(0, 256, (batch, blip.model_input.height, blip.model_input.width, 3), dtype=np.uint8))
    single.run(shown[:1])

    def ours(turn: int) -> float:
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        blip.caption(shown)
        return len(shown) / (time.perf_counter() - begin)

    return [
        compare(
            "vs_generate_single_float32",
            ours,
            lambda turn: single.run(shown[: 1 if quick else 3]),
            f"captions of {tokens} words/s",
            1 if quick else REPEATS,
            3,
        )
    ]
