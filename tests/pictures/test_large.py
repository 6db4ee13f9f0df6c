"""Large pictures: reduced in strips while they are laid over white, with nearly the same result in far less memory."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import colour
from pictures.decode import decode
from pictures.preprocessing import ModelInput
from tests.conftest import ROOT
from tests.pictures.decoding_child import CLIP
from tests.pictures.made.pictures import WHOLE, encoded, levels_apart, smooth

SIZE = (1903, 1801)


def transparent() -> Image.Image:
    """A picture with soft edges of transparency."""
    image = smooth(*SIZE, seed=3).convert("RGBA")
    image.putalpha(smooth(*SIZE, seed=4).convert("L"))
    return image


def sixteen_bits() -> Image.Image:
    """Grey of 16 bits."""
    grey = np.asarray(smooth(*SIZE, seed=5).convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 200 + 7)


KINDS: dict[str, tuple[Callable[[], Image.Image], str]] = {
    "RGBA": (transparent, "PNG"),
    "LA": (lambda: transparent().convert("LA"), "PNG"),
    "palette": (lambda: transparent().quantize(64), "PNG"),
    "16 bits": (sixteen_bits, "PNG"),
    "32 bits": (lambda: sixteen_bits().convert("I"), "TIFF"),
    "float": (lambda: Image.fromarray(np.asarray(sixteen_bits()).astype(np.float32) / 70000), "TIFF"),
    "black and white": (lambda: smooth(*SIZE, seed=6).convert("1"), "TIFF"),
    "WebP": (transparent, "WEBP"),
}


# Pictures of megapixels, packed in a hurry.
HURRY: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 1}, "TIFF": {"compression": "tiff_deflate"}, "WEBP": {"method": 0},
}  # fmt: skip


@cache
def file_of(kind: str) -> bytes:
    """A file of a kind."""
    make, form = KINDS[kind]
    return encoded(make(), form, **HURRY[form])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [CLIP, WHOLE], ids=["cropped", "whole"])
def test_a_picture_in_strips_is_what_it_is_in_one_piece(
    kind: str, target: ModelInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file_of(kind)
    in_strips = decode(data, 10**8, target, None)
    monkeypatch.setattr(colour, "STRIP_PIXELS", 10**9)
    whole = decode(data, 10**8, target, None)
    assert (in_strips.width, in_strips.height) == (whole.width, whole.height) == SIZE
    # As near as a JPEG that is reduced while it is decoded.
    assert levels_apart(in_strips.clip, whole.clip) < 2


def test_a_long_thin_picture_keeps_its_short_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    image = smooth(300, 30_000, seed=8).convert("RGBA")
    data = encoded(image, "PNG", **HURRY["PNG"])
    in_strips = decode(data, 10**8, CLIP, None).clip
    monkeypatch.setattr(colour, "STRIP_PIXELS", 10**9)
    assert (in_strips == decode(data, 10**8, CLIP, None).clip).all()


# What a pixel takes in Pillow itself, and some megabytes for the strips.
MOST = {"RGBA": 7.0, "palette": 4.0, "16 bits": 5.0, "float": 7.0}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
@pytest.mark.parametrize("kind", MOST)
def test_a_pixel_takes_little_more_memory_than_pillow_needs_for_it(kind: str, tmp_path: Path) -> None:
    make, form = KINDS[kind]
    path = tmp_path / "large"
    path.write_bytes(encoded(make().resize((5000, 4000), Image.Resampling.NEAREST), form, **HURRY[form]))
    command = [sys.executable, "-m", "tests.pictures.decoding_child", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < MOST[kind]


@pytest.mark.parametrize("size", [(4000, 3000), (1632, 1224), (640, 480), (300, 200)])
def test_clip_sees_the_same_whether_captions_are_written_or_not(size: tuple[int, int]) -> None:
    blip = replace(CLIP, width=384, height=384, edge=384)
    data = encoded(smooth(*size, seed=9), "JPEG", quality=90)
    alone, beside = decode(data, 10**8, CLIP, None), decode(data, 10**8, CLIP, blip)
    assert (alone.clip == beside.clip).all()
    assert beside.blip is not None
    sharp = decode(data, 10**8, blip, None).clip
    assert (beside.blip == sharp).all()
