"""Each family of embedders against transformers' own model, processor and tokenizer, from end to end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModel, AutoProcessor

from pictures.preprocessing import fit
from tests.pictures.made.pictures import smooth
from tests.workers.inference.tiny_embedders import FAMILIES
from workers.inference.embedders.embedder import Embedder

CPU = torch.device("cpu")
TEXTS = [
    "A Red circle, left of a SMALL blue square!",
    "zwei",
    "\u7ea2\u8272\u7684\u5706 a",
    "two large yellow stars " * 30,
]
SIZES = [(70, 52), (40, 90), (33, 33)]


def pictures() -> list[Image.Image]:
    """Pictures of three proportions."""
    return [Image.fromarray(np.asarray(smooth(*size, seed))) for seed, size in enumerate(SIZES)]


def unit(features: Any) -> NDArray[np.float32]:
    """What the library gives, as rows of length one."""
    found = features if isinstance(features, torch.Tensor) else features.pooler_output
    return torch.nn.functional.normalize(found, dim=-1).numpy()


@torch.inference_mode()
def theirs(folder: Path, texts: list[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The embeddings of the pictures and of texts by the library alone."""
    model, processor = AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder, backend="pil")
    shown = [unit(model.get_image_features(**processor(images=each, return_tensors="pt"))) for each in pictures()]
    # As the page of SigLIP at the hub says; the other families fill up to the longest text only.
    padding = "max_length" if "siglip" in model.config.model_type else True
    positions = model.config.text_config.max_position_embeddings
    context = {"altclip": positions - 2}.get(model.config.model_type, positions)
    rows = [
        unit(
            model.get_text_features(
                **processor.tokenizer(text, padding=padding, max_length=context, truncation=True, return_tensors="pt")
            )
        )
        for text in texts
    ]
    return np.concatenate(shown), np.concatenate(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_gives_the_embeddings_of_transformers(tmp_path: Path, family: str) -> None:
    folder = tmp_path / "checkpoint"
    FAMILIES[family](folder)
    embedder = Embedder(str(folder), CPU, "float32", 8)
    # SigLIP 2 was trained with small letters only, which Gemma's tokenizer leaves to whoever asks it.
    texts = [text.lower() for text in TEXTS] if family == "SigLIP 2 of one size" else TEXTS
    of_pictures, of_texts = theirs(folder, texts)
    shown = [fit(each, embedder.model_input) for each in pictures()]
    ours = embedder.embed_pictures(shown)
    assert embedder.dim == ours.shape[1] == of_pictures.shape[1]
    assert (ours * of_pictures).sum(axis=1).min() >= 0.9999
    assert (embedder.embed_texts(TEXTS) * of_texts).sum(axis=1).min() >= 0.9999
    assert [embedder.is_cut(text) for text in TEXTS] == [False, False, False, True]
    # Random weights that gave one direction whatever they saw would have passed all of that.
    assert (of_pictures[0] @ of_pictures[1:].T).max() < 0.999
    assert (of_texts[0] @ of_texts[1:].T).max() < 0.999
    assert embedder.notes == []


def test_a_family_runs_in_half_precision_and_in_parts(tmp_path: Path) -> None:
    FAMILIES["SigLIP"](tmp_path / "checkpoint")
    whole = Embedder(str(tmp_path / "checkpoint"), CPU, "float32", 8)
    half = Embedder(str(tmp_path / "checkpoint"), CPU, "bfloat16", 8, parts=2)
    shown = [fit(each, whole.model_input) for each in pictures()]
    assert half.precision == "bfloat16"
    assert (half.embed_pictures(shown) * whole.embed_pictures(shown)).sum(axis=1).min() > 0.99
