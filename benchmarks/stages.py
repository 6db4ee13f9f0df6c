"""stages: processor time of each step of a picture, in milliseconds of one core; where a rate comes from.

Processor time and not the clock's, so that it adds up: two cores embed 2,000 / (the sum) pictures a second.
"""

import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, CLIPModel

from benchmarks.harness import REPEATS, Figure, measured
from benchmarks.material import MP_03, MP_2, MP_12, pictures, random_blip_base, random_vit_b32
from pictures.decode import decode
from pictures.preprocessing import ModelInput
from pictures.reading import read
from workers.inference.captioners.blip import FastBlip, around_int8, int8_layers
from workers.inference.captioners.blip_layers import trimmed_blip
from workers.inference.captioners.greedy import GreedyDecoder
from workers.inference.embedders.clip_layers import trimmed_clip
from workers.inference.hardware import CPU_BATCH_BLIP, CPU_BATCH_CLIP
from workers.inference.layers.int8 import in_int8
from workers.inference.layers.onednn import linear_layers
from workers.inference.probe.probe import INT8

SIZES = {"12 MP": MP_12, "2 MP": MP_2, "0.3 MP": MP_03}
GREY = (0.5, 0.5, 0.5)
BICUBIC = int(Image.Resampling.BICUBIC)
CLIP = ModelInput(224, 224, 224, BICUBIC, GREY, GREY)
BLIP = ModelInput(384, 384, (384, 384), BICUBIC, GREY, GREY)


def stages(scratch: Path, quick: bool) -> list[Figure]:
    """The forward pass of CLIP in ms of one core a picture; the table has every other step."""
    repeats = 2 if quick else REPEATS
    torch.set_num_threads(1)
    rows: list[tuple[str, float]] = []

    def step(name: str, work: Callable[[], object], among: int = 1) -> list[float]:
        work()
        times = [_milliseconds(work) / among for _ in range(repeats)]
        rows.append((name, float(np.median(times))))
        return times

    for name, size in SIZES.items():
        uri = pictures(scratch / name, 1, size)[0].as_uri()
        data = read(uri, 10**9).data
        step(f"{name}: read and sha256", partial(read, uri, 10**9))
        step(f"{name}: decode for CLIP", partial(decode, data, 10**9, CLIP, None))
        step(f"{name}: decode for CLIP and BLIP", partial(decode, data, 10**9, CLIP, BLIP))
        step(f"{name}: full decode alone", partial(_in_full, data))
    with torch.inference_mode():
        forward = _clip(random_vit_b32(scratch / "clip"), step)
        _blip(random_blip_base(scratch / "blip"), step)
    table = [["step", "ms of one core"], *([name, f"{value:.1f}"] for name, value in rows)]
    return [measured("clip_forward_ms", forward, "ms/picture", detail={"table": table})]


Step = Callable[[str, Callable[[], object], int], list[float]]


def _clip(checkpoint: Path, step: Step) -> list[float]:
    model = CLIPModel.from_pretrained(checkpoint).eval()
    whole, trimmed = model.vision_model, trimmed_clip(model).vision_model
    pixels = torch.randn(CPU_BATCH_CLIP, 3, CLIP.height, CLIP.width)
    step("CLIP ViT-B/32 as Hugging Face runs it", lambda: whole(pixel_values=pixels), len(pixels))
    short = in_int8(trimmed, linear_layers(trimmed))
    step("CLIP ViT-B/32 in int8", lambda: short(pixel_values=pixels), len(pixels))
    return step("CLIP ViT-B/32 as we run it", lambda: trimmed(pixel_values=pixels), len(pixels))


def _blip(checkpoint: Path, step: Step) -> None:
    model = BlipForConditionalGeneration.from_pretrained(checkpoint).eval()
    one = torch.randn(1, 3, BLIP.height, BLIP.width)
    step("BLIP base, vision tower as Hugging Face runs it", lambda: model.vision_model(pixel_values=one), 1)
    step("BLIP base, generate 20 words, one picture", lambda: _generate(model, one), 1)
    trimmed = trimmed_blip(model.vision_model)
    step("BLIP base, vision tower as we run it", lambda: trimmed(pixel_values=one), 1)
    seen = trimmed(pixel_values=one).last_hidden_state.repeat(CPU_BATCH_BLIP, 1, 1)
    greedy = GreedyDecoder(model.text_decoder)
    step("BLIP base, 1 word as we run it", lambda: greedy(seen, 1), CPU_BATCH_BLIP)
    step("BLIP base, 20 words as we run it", lambda: greedy(seen, 20), CPU_BATCH_BLIP)
    short = FastBlip(model)
    short = in_int8(short, int8_layers(short)[INT8])
    around_int8(short, INT8)
    step("BLIP base, vision tower in int8", lambda: short.encode(one), 1)
    decoder = GreedyDecoder(short.text_decoder)
    step("BLIP base, 20 words in int8", lambda: decoder(seen, 20), CPU_BATCH_BLIP)


def _generate(model: BlipForConditionalGeneration, pixels: torch.Tensor) -> object:
    return model.generate(pixel_values=pixels, max_new_tokens=20, num_beams=1, do_sample=False)


def _in_full(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _milliseconds(work: Callable[[], object]) -> float:
    begin = time.thread_time()
    work()
    return (time.thread_time() - begin) * 1000
