"""The check of a model when it is loaded: our way to compute it against the library's own, on a generated picture.

The library's processor and its untouched model say what is right. Our pixels must be those of the processor. Our
layers must give what the untouched ones give, or the untouched ones are used: another version of the library may have
changed what our layers build on.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from pictures.preprocessing import ModelInput, fit
from settings.errors import WrongUse
from workers.inference.hardware import is_out_of_memory
from workers.inference.pixels import PixelFeed

log = logging.getLogger("darkroom.gpu")

NOT_FINITE = "numbers that are not finite"
# The least cosine of float32 results that count as the same.
SAME = 0.999
# The largest distance of two pictures that count as the same, as a share of their length; a rounding of every byte
# makes less than a hundredth.
SAME_PIXELS = 0.02


@cache
def picture() -> Image.Image:
    """A picture with structure at every scale and sharp edges, wider than high; always the same."""
    random = np.random.default_rng(5)
    light = np.full((360, 480, 3), 128.0)
    for across in (4, 16, 64, 256):
        field = random.integers(0, 256, (across * 3 // 4, across, 3), dtype=np.uint8)
        light += (
            np.asarray(Image.fromarray(field).resize((480, 360), Image.Resampling.BILINEAR)) - 128.0
        ) / across**0.3
    drawn = Image.fromarray(light.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(drawn)
    pen.ellipse((40, 60, 200, 220), fill=(200, 30, 30))
    pen.rectangle((260, 150, 440, 330), fill=(20, 60, 190))
    return drawn


def difference(rows: torch.Tensor, expected: torch.Tensor, least_cosine: float) -> str:
    """What is wrong with rows of numbers, for a person; empty if each has the direction of the expected one."""
    if not bool(rows.isfinite().all()):
        return NOT_FINITE
    cosine = float(torch.cosine_similarity(rows.float(), expected.float(), dim=-1).min())
    return "" if cosine >= least_cosine else f"a cosine of {cosine:.3f} to the right result"


def processed_picture(setting: str, model: str, processor: Any, model_input: ModelInput) -> torch.Tensor:
    """The picture as the library's image processor shows it to the model; raises WrongUse if ours is another one."""
    theirs: torch.Tensor = processor(images=picture(), return_tensors="pt")["pixel_values"].float()
    ours = PixelFeed(torch.device("cpu"), model_input)([fit(picture(), model_input)], torch.float32)
    # Written so that a number that is not finite counts as a difference.
    if theirs.shape != ours.shape or not float((ours - theirs).norm()) <= SAME_PIXELS * float(theirs.norm()):
        kind = type(processor).__name__
        raise WrongUse(f"{setting} = {model!r}: Darkroom cannot prepare pictures as its processor does ({kind}).")
    return theirs


def fast_or_untouched(
    untouched: nn.Module, fast: Callable[[], nn.Module], compare: Callable[[nn.Module], str]
) -> tuple[Any, str]:
    """The fast form of a model if `compare` finds no difference; else the untouched one, and a sentence about it."""
    try:
        candidate = fast()
        found = compare(candidate)
    except Exception as error:  # what changed in the library may raise anything
        if is_out_of_memory(error):
            raise
        found = f"{type(error).__name__}: {error}".splitlines()[0]
    if not found:
        return candidate, ""
    return untouched, f"the layers of transformers are used, which are slower, because ours give {found}"


def told(name: str, *notes: str) -> list[str]:
    """The notes that say something; they are also told in the log."""
    said = [note for note in notes if note]
    for note in said:
        log.warning("%s: %s", name, note)
    return said
