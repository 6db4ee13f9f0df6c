"""embedders_ms: what a picture costs in each shape of embedder that docs/models.md names, by random weights."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    ChineseCLIPVisionConfig,
    ChineseCLIPVisionModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from benchmarks.harness import REPEATS, Figure, measured
from workers.inference.embedders.clip_layers import trimmed_clip

BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
BATCH = 8


class Shape(NamedTuple):
    """The half of a checkpoint that sees pictures: how it is made, and the side of the pictures in pixels."""

    name: str
    make: Callable[[dict[str, Any]], Any]
    size: dict[str, Any]
    patch: int
    side: int


def _clip(config: dict[str, Any]) -> Any:
    # As LAION's checkpoints have it; OpenAI's quick_gelu costs the same in our form.
    return trimmed_clip(CLIPVisionModelWithProjection(CLIPVisionConfig(**config, hidden_act="gelu")).eval())


def _siglip(config: dict[str, Any]) -> Any:
    return SiglipVisionModel(SiglipVisionConfig(**config)).eval()


def _chinese(config: dict[str, Any]) -> Any:
    return ChineseCLIPVisionModel(ChineseCLIPVisionConfig(**config)).eval()


SHAPES = (
    Shape("CLIP ViT-B/32", _clip, BASE, 32, 224),
    Shape("SigLIP 2 B/32-256", _siglip, BASE, 32, 256),
    Shape("CLIP ViT-B/16", _clip, BASE, 16, 224),
    Shape("SigLIP 2 B/16-224", _siglip, BASE, 16, 224),
    Shape("Chinese-CLIP ViT-B/16", _chinese, BASE, 16, 224),
    Shape("CLIP or AltCLIP ViT-L/14", _clip, LARGE, 14, 224),
)


@torch.inference_mode()
def embedders_ms(scratch: Path, quick: bool) -> list[Figure]:
    """Milliseconds of one core a picture for ViT-B/32; the table has every other shape."""
    torch.set_num_threads(1)
    repeats = 1 if quick else REPEATS
    rows = [["shape", "ms of one core"]]
    first: list[float] = []
    for shape in SHAPES[: 2 if quick else None]:
        torch.manual_seed(0)
        model = shape.make({**shape.size, "patch_size": shape.patch, "image_size": shape.side})
        pixels = torch.randn(BATCH, 3, shape.side, shape.side)
        model(pixel_values=pixels)
        times = [_milliseconds(model, pixels) for _ in range(repeats)]
        first = first or times
        rows.append([shape.name, f"{float(np.median(times)):.0f}"])
    return [measured("embedders_ms", first, "ms/picture", detail={"table": rows})]


def _milliseconds(model: Any, pixels: torch.Tensor) -> float:
    begin = time.thread_time()
    model(pixel_values=pixels)
    return (time.thread_time() - begin) * 1000 / len(pixels)
