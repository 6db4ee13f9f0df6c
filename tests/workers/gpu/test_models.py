"""The models of a GPU worker behind their batchers."""

import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest
import torch

from models.scenes import Scene, draw
from pictures.picture import Pixels
from pictures.preprocessing import fit
from settings import Settings
from settings.sections import Gpu
from workers.gpu.models import Models
from workers.inference.captioners.captioner import Captioner, checkpoint_captioner
from workers.inference.null import NullClip

CPU = torch.device("cpu")


def test_on_a_cpu_a_part_of_the_cores_captions_a_batch_of_its_own(
    blip: Captioner, blip_folder: Path, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts = checkpoint_captioner(str(blip_folder), CPU, "float32", 8, 30, parts=2)
    write, both, numbers = in_parts.caption, Barrier(2, timeout=60), count()

    def caption(pictures: Sequence[Pixels]) -> list[str]:
        if next(numbers) < 2:
            both.wait()  # one batch alone would wait here until the barrier breaks
        return write(pictures)

    monkeypatch.setattr(in_parts, "caption", caption)
    settings = Settings.model_construct(gpu=Gpu(batch_blip=8))
    models = Models(settings, NullClip("null"), in_parts, "cpu", lambda: True, lambda reason: None)
    assert models.blip is not None
    pictures = [fit(draw(scene, random.Random(1)), blip.model_input) for scene in scenes[:8]]
    captions = [models.blip().submit(picture) for picture in pictures]
    assert [caption.result(60) for caption in captions] == blip.caption(pictures)
    models.close()
