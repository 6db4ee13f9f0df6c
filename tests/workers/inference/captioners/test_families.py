"""Each family of captioners against transformers' own processor and `generate`, word for word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, BlipForConditionalGeneration

from pictures.preprocessing import fit
from tests.pictures.made.pictures import smooth
from tests.workers.inference.tiny_captioners import FAMILIES
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.captioners.contract import QUESTION

CPU = torch.device("cpu")
TOKENS = 12
SIZES = [(70, 52), (40, 90), (64, 64)]
# What each family is asked, as its own page says.
ASKED: dict[str, str | None] = {
    "BLIP": None,
    "BLIP-2": None,
    "GIT": None,
    "Florence-2": "<CAPTION>",
    "LLaVA": f"USER: <image>{QUESTION} ASSISTANT:",
}


def pictures() -> list[Image.Image]:
    """Pictures of three proportions."""
    return [Image.fromarray(np.asarray(smooth(*size, seed))) for seed, size in enumerate(SIZES)]


@torch.inference_mode()
def theirs(folder: Path, family: str) -> list[str]:
    """The captions by the library alone, one picture at a time."""
    kind: Any = BlipForConditionalGeneration if family == "BLIP" else AutoModelForImageTextToText
    model, processor = kind.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder, backend="pil")
    captions = []
    for picture in pictures():
        asked = {} if ASKED[family] is None else {"text": ASKED[family]}
        inputs = processor(images=picture, return_tensors="pt", **asked)
        tokens = model.generate(**inputs, max_new_tokens=TOKENS, num_beams=1, do_sample=False)[0]
        if family == "LLaVA":
            tokens = tokens[inputs["input_ids"].shape[1] :]
        captions.append(processor.decode(tokens, skip_special_tokens=True).strip())
    return captions


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_writes_what_transformers_writes_word_for_word(tmp_path: Path, family: str) -> None:
    folder = tmp_path / "checkpoint"
    FAMILIES[family](folder)
    captioner = checkpoint_captioner(str(folder), CPU, "float32", 4, TOKENS, parts=2)
    ours = captioner.caption([fit(each, captioner.model_input) for each in pictures()])
    expected = theirs(folder, family)
    assert ours == expected
    assert len(set(expected)) > 1, "captions that were the same for all pictures would have shown nothing"
    assert captioner.notes == []
