"""fidelity_*: how near our results are to those of the reference.

fidelity_median, fidelity_worst: our embeddings against those of the reference preprocessing.

The reference decodes in full and prepares by Hugging Face's own processor. The model is a ViT-B/32 with random weights.
Its embeddings share one large component (unrelated pictures have a cosine of about 0.94 as they stand) that would hide
any difference, so the mean embedding is taken away first. Then unrelated pictures have a cosine of about 0, and what
remains is what tells pictures apart. Random weights pass on fine detail as readily as shapes, where trained ones have
learned to view noise; the bounds are not easier to keep for it.

fidelity_captions_*: captions in a lower precision against those in float32. Random weights have nothing to say, so this
is the BLIP that ships, on pictures of its kind: small, but trained.
"""

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

from benchmarks.bench_stack import ROOT
from benchmarks.figures.bounds import at_least
from benchmarks.harness import Figure
from models.scenes import draw, fresh_scenes
from pictures.decode import decode
from pictures.preprocessing import ModelInput, fit
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.embedders.clip_layers import trimmed_clip
from workers.inference.pixels import PixelFeed
from workers.inference.probe.fidelity import SAME_CAPTIONS, of_captions

MEDIAN, WORST = 0.99, 0.98
WIDTH, HEIGHT = 1800, 1350
SCENERIES, BATCH = 4, 10
SHIPPED_BLIP = ROOT / "models" / "shapes-blip"
EDGE, WORDS = 192, 30


def scenery(rng: np.random.Generator) -> Image.Image:
    """Structure at every scale, each finer one fainter as in photos, a dozen things with sharp edges, and grain."""
    light = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.float32)
    for across in (4, 8, 16, 32, 64, 128, 256):
        field = rng.normal(128, 40, (across * HEIGHT // WIDTH + 1, across, 3)).clip(0, 255).astype(np.uint8)
        grown = Image.fromarray(field).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        light += (np.asarray(grown, dtype=np.float32) - 128) * np.float32(1.6 / across**0.5)
    light += rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32) * 3
    picture = Image.fromarray(light.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, size = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)), int(rng.integers(30, 400))
        red, green, blue = (int(level) for level in rng.integers(0, 256, 3))
        pen.ellipse((x - size, y - size, x + size, y + size // 2), fill=(red, green, blue))
    return picture


def jpegs(count: int) -> list[bytes]:
    """Upright and wide cuts of a few sceneries from 0.1 to 2.4 MP, every twentieth at 12 MP, in many qualities."""
    rng = np.random.default_rng(11)
    sceneries = [scenery(rng) for _ in range(SCENERIES)]
    found = []
    for number in range(count):
        width, height = int(rng.integers(400, WIDTH + 1)), int(rng.integers(300, HEIGHT + 1))
        left, top = int(rng.integers(0, WIDTH - width + 1)), int(rng.integers(0, HEIGHT - height + 1))
        picture = sceneries[number % len(sceneries)].crop((left, top, left + width, top + height))
        if number % 20 == 0:
            picture = picture.resize((4000, 3000) if width > height else (3000, 4000), Image.Resampling.BICUBIC)
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(75, 96)), subsampling=int(rng.integers(0, 3)))
        found.append(stream.getvalue())
    return found


@dataclass(frozen=True)
class Cosines:
    """Of centred embeddings: each of ours with its reference, and each reference with every other one."""

    own: torch.Tensor
    others: torch.Tensor


def cosines(count: int) -> Cosines:
    """Embed `count` pictures both ways."""
    processor = CLIPImageProcessorPil()
    mean_and_std: Any = (tuple(processor.image_mean), tuple(processor.image_std))
    target = ModelInput(224, 224, 224, int(processor.resample), *mean_and_std)
    feed = PixelFeed(torch.device("cpu"), target)
    torch.manual_seed(0)
    model = trimmed_clip(CLIPModel(CLIPConfig()).eval())

    def embedded(pixels: torch.Tensor) -> torch.Tensor:
        pooled = model.vision_model(pixel_values=pixels).pooler_output
        return torch.nn.functional.normalize(model.visual_projection(pooled), dim=-1)

    ours, references = [], []
    pictures = jpegs(count)
    with torch.inference_mode():
        for begin in range(0, count, BATCH):
            batch = pictures[begin : begin + BATCH]
            ours.append(embedded(feed([decode(data, 20_000_000, target, None).clip for data in batch], torch.float32)))
            whole = [Image.open(io.BytesIO(data)).convert("RGB") for data in batch]
            references.append(embedded(processor(whole, return_tensors="pt")["pixel_values"]))
    mean = torch.cat(references).mean(dim=0)
    own, reference = (torch.nn.functional.normalize(torch.cat(rows) - mean, dim=-1) for rows in (ours, references))
    among = reference @ reference.T
    return Cosines((own * reference).sum(dim=-1), among[~torch.eye(count, dtype=torch.bool)])


def fidelity(scratch: Path, quick: bool) -> list[Figure]:
    """Median and worst over 200 pictures, each with the spread over all of them."""
    own = cosines(20 if quick else 200).own
    median, low, high = float(own.median()), float(own.min()), float(own.max())
    return [
        Figure("fidelity_median", median, low, high, "cosine", at_least(MEDIAN, floor=MEDIAN)),
        Figure("fidelity_worst", low, low, high, "cosine", at_least(WORST, floor=WORST)),
    ]


def fidelity_captions(scratch: Path, quick: bool) -> list[Figure]:
    """The share of captions with the same words as in float32, for each precision that a CPU may take."""
    scenes = fresh_scenes(seed=5, count=20 if quick else 200)

    def captions(precision: str) -> list[str]:
        blip = checkpoint_captioner(str(SHIPPED_BLIP), torch.device("cpu"), precision, BATCH, WORDS)
        shown = [fit(draw(scene, random.Random(number), EDGE), blip.model_input) for number, scene in enumerate(scenes)]
        return [text for start in range(0, len(shown), BATCH) for text in blip.caption(shown[start : start + BATCH])]

    right, goal = captions("float32"), at_least(SAME_CAPTIONS, floor=SAME_CAPTIONS)
    figures = []
    for precision in ("bfloat16", "int8"):
        same = of_captions(right, captions(precision)).same
        assert same is not None
        figures.append(Figure(f"fidelity_captions_{precision}", same, same, same, "of the captions", goal))
    return figures
