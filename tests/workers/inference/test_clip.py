"""The shipped CLIP through the code that every CLIP goes through."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from models.scenes import Scene, draw
from pictures.picture import Pixels
from pictures.preprocessing import fit
from settings.errors import WrongUse
from tests.pictures.made.pictures import smooth
from workers.inference import precision
from workers.inference.clip import Clip


def drawn(scenes: list[Scene], clip: Clip) -> list[Pixels]:
    """The scenes as the model sees them."""
    return [fit(draw(scene, random.Random(number)), clip.model_input) for number, scene in enumerate(scenes)]


def test_rows_are_float32_of_length_one(clip: Clip, scenes: list[Scene]) -> None:
    for rows in (
        clip.embed_pictures(drawn(scenes[:5], clip)),
        clip.embed_texts([scene.sentence for scene in scenes[:5]]),
    ):
        assert rows.shape == (5, clip.dim)
        assert rows.dtype == np.float32
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_picture_alone_has_the_embedding_that_it_has_in_a_batch(clip_folder: Path, dtype: str) -> None:
    clip = Clip(str(clip_folder), torch.device("cpu"), dtype, 8)
    pictures = [fit(smooth(80, 80, seed), clip.model_input) for seed in range(9)]
    together = clip.embed_pictures(pictures)
    for picture, row in zip(pictures, together, strict=True):
        assert float(clip.embed_pictures([picture])[0] @ row) > 0.9995


def test_half_the_precision_keeps_the_direction(clip: Clip, clip_folder: Path, scenes: list[Scene]) -> None:
    half = Clip(str(clip_folder), torch.device("cpu"), "bfloat16", 8)
    pictures = drawn(scenes[:20], clip)
    assert half.embed_pictures(pictures).dtype == np.float32
    assert (half.embed_pictures(pictures) * clip.embed_pictures(pictures)).sum(axis=1).min() > 0.99


def test_a_sentence_finds_its_picture_among_the_first_three_of_forty(clip: Clip, scenes: list[Scene]) -> None:
    chosen = scenes[:40]
    pictures = clip.embed_pictures(drawn(chosen, clip))
    texts = clip.embed_texts([scene.sentence for scene in chosen])
    nearest = np.argsort(-texts @ pictures.T, axis=1)[:, :3]
    assert sum(number in row for number, row in enumerate(nearest)) >= 36


def test_a_text_longer_than_the_model_reads_is_cut(clip: Clip) -> None:
    rows = clip.embed_texts(["a red circle " * 200, ""])
    assert np.isfinite(rows).all()


def test_probing_a_lower_precision_leaves_the_weights_as_they_are(
    clip: Clip, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So much is asked of bfloat16 that float32 wins after both were tried.
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "MIN_SPEEDUP", 1e9)
    probed = Clip(str(clip_folder), torch.device("cpu"), "auto", 8)
    assert probed.dtype == torch.float32
    pictures = [fit(smooth(64, 64, seed), clip.model_input) for seed in range(3)]
    assert np.array_equal(probed.embed_pictures(pictures), clip.embed_pictures(pictures))


def test_a_checkpoint_of_another_kind_is_named(blip_folder: Path) -> None:
    with pytest.raises(WrongUse, match=r"models\.clip = .* is a 'blip' checkpoint; a 'clip' one is needed there\."):
        Clip(str(blip_folder), torch.device("cpu"), "float32", 1)
