"""vs_seed_12mp: against a first version as many projects have one, on pictures as telephones take them.

It decodes every picture in full, hands it to the model's service as a PNG, prepares it by the default processor, and
runs float32 batches of 8, one after the other. The pictures of a batch are decoded and encoded side by side, on every
core.
"""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from benchmarks.figures.bounds import at_least
from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import MP_12, pictures, random_vit_b32
from benchmarks.peers.pipeline_side import ingesting
from workers.inference.hardware import cores

BATCH = 8


class Seed:
    """The model and the way to it; nothing is stored."""

    def __init__(self, checkpoint: Path) -> None:
        self._model = CLIPModel.from_pretrained(checkpoint).eval()
        self._processor = CLIPProcessor.from_pretrained(checkpoint)
        self.png_seconds = self.seconds = 0.0

    def run(self, paths: list[Path]) -> float:
        """Pictures per second, with torch on all cores."""
        torch.set_num_threads(cores())
        begin = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            for start in range(0, len(paths), BATCH):
                began = time.perf_counter()
                pngs = list(pool.map(_as_png, paths[start : start + BATCH]))
                self.png_seconds += time.perf_counter() - began
                received = [Image.open(io.BytesIO(png)) for png in pngs]
                with torch.inference_mode():
                    self._model.get_image_features(**self._processor(images=received, return_tensors="pt"))
        taken = time.perf_counter() - begin
        self.seconds += taken
        return len(paths) / taken


def _as_png(path: Path) -> bytes:
    stream = io.BytesIO()
    Image.open(path).convert("RGB").save(stream, format="PNG")
    return stream.getvalue()


def vs_seed_12mp(scratch: Path, quick: bool) -> list[Figure]:
    """Pictures per second of the whole pipeline, storing too, over those of the seed's way."""
    checkpoint = random_vit_b32(scratch / "vit-b32-random")
    paths = pictures(scratch / "12mp", 16 if quick else 64, MP_12)
    seed = Seed(checkpoint)
    with ingesting(scratch, paths, MODELS__CLIP=str(checkpoint), MODELS__CAPTIONS="false") as ours:
        figure = compare(
            "vs_seed_12mp",
            ours,
            lambda turn: seed.run(paths[:BATCH]),  # one batch of it takes as long as all of ours
            "images/s",
            1 if quick else REPEATS,
            at_least(8, floor=8),
            f"{ours.precision} / float32",
        )
    note = f"{seed.png_seconds / seed.seconds:.0%} of the baseline's time goes into full decodes and its PNG encoder"
    return [replace(figure, note=note)]
