"""The shipped CLIP through the code that every CLIP goes through."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models.scenes import Scene, draw
from pictures.picture import Pixels
from pictures.preprocessing import fit
from settings import load_settings
from settings.errors import WrongUse
from tasks.checkpoint import IN_INT8, PREPROCESSING
from tests.pictures.made.pictures import smooth
from workers.inference import choice, precision
from workers.inference.embedders.embedder import Embedder
from workers.inference.layers import onednn
from workers.inference.layers.int8 import Int8Linear
from workers.inference.layers.onednn import OneDnnLinear
from workers.inference.probe import kept
from workers.inference.probe.fidelity import of_embeddings


def drawn(scenes: list[Scene], clip: Embedder) -> list[Pixels]:
    """The scenes as the model sees them."""
    return [fit(draw(scene, random.Random(number)), clip.model_input) for number, scene in enumerate(scenes)]


def test_rows_are_float32_of_length_one(clip: Embedder, scenes: list[Scene]) -> None:
    for rows in (
        clip.embed_pictures(drawn(scenes[:5], clip)),
        clip.embed_texts([scene.sentence for scene in scenes[:5]]),
    ):
        assert rows.shape == (5, clip.dim)
        assert rows.dtype == np.float32
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_picture_alone_has_the_embedding_that_it_has_in_a_batch(clip_folder: Path, dtype: str) -> None:
    clip = Embedder(str(clip_folder), torch.device("cpu"), dtype, 8)
    pictures = [fit(smooth(80, 80, seed), clip.model_input) for seed in range(9)]
    together = clip.embed_pictures(pictures)
    for picture, row in zip(pictures, together, strict=True):
        assert float(clip.embed_pictures([picture])[0] @ row) > 0.9995


def test_half_the_precision_keeps_the_direction(clip: Embedder, clip_folder: Path, scenes: list[Scene]) -> None:
    half = Embedder(str(clip_folder), torch.device("cpu"), "bfloat16", 8)
    pictures = drawn(scenes[:20], clip)
    assert half.embed_pictures(pictures).dtype == np.float32
    assert (half.embed_pictures(pictures) * clip.embed_pictures(pictures)).sum(axis=1).min() > 0.99


def test_a_sentence_finds_its_picture_among_the_first_three_of_forty(clip: Embedder, scenes: list[Scene]) -> None:
    chosen = scenes[:40]
    pictures = clip.embed_pictures(drawn(chosen, clip))
    texts = clip.embed_texts([scene.sentence for scene in chosen])
    nearest = np.argsort(-texts @ pictures.T, axis=1)[:, :3]
    assert sum(number in row for number, row in enumerate(nearest)) >= 36


def test_a_text_longer_than_the_model_reads_is_cut(clip: Embedder) -> None:
    rows = clip.embed_texts(["a red circle " * 200, ""])
    assert np.isfinite(rows).all()


def test_probing_a_lower_precision_leaves_the_weights_as_they_are(
    clip: Embedder, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So much is asked of bfloat16 that float32 wins after both were tried.
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "MIN_SPEEDUP", 1e9)
    probed = Embedder(str(clip_folder), torch.device("cpu"), "auto", 8)
    assert probed.precision == "float32"
    pictures = [fit(smooth(64, 64, seed), clip.model_input) for seed in range(3)]
    assert np.array_equal(probed.embed_pictures(pictures), clip.embed_pictures(pictures))


def test_a_batch_of_one_part_or_of_several_has_the_same_embeddings(clip_folder: Path, clip: Embedder) -> None:
    in_parts = Embedder(str(clip_folder), torch.device("cpu"), "float32", 8, 2)
    assert in_parts.parts == 2
    pictures = [fit(smooth(64, 64, seed), clip.model_input) for seed in range(11)]
    for count in (1, 4, 5, 11):
        assert np.allclose(in_parts.embed_pictures(pictures[:count]), clip.embed_pictures(pictures[:count]), atol=1e-5)


def test_where_onednn_is_faster_a_large_model_computes_float32_by_it_and_its_embeddings_stay(
    clip: Embedder, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "is_worth_it", lambda _model: True)
    monkeypatch.setattr(onednn, "is_faster", lambda: True)
    by_it = Embedder(str(clip_folder), torch.device("cpu"), "float32", 8)
    assert any(isinstance(module, OneDnnLinear) for module in by_it.vision()._model.modules())
    assert (by_it.precision, by_it.preprocessing) == ("float32", clip.preprocessing)
    pictures = [fit(smooth(64, 64, seed), clip.model_input) for seed in range(8)]
    assert np.allclose(by_it.embed_pictures(pictures), clip.embed_pictures(pictures), atol=1e-5)


def test_in_int8_embeddings_are_nearly_the_same_and_their_key_of_reuse_says_so(
    clip: Embedder, clip_folder: Path
) -> None:
    short = Embedder(str(clip_folder), torch.device("cpu"), "int8", 8)
    assert (short.precision, short.notes, short.preprocessing) == ("int8", [], IN_INT8)
    assert any(isinstance(module, Int8Linear) for module in short.vision()._model.modules())
    assert clip.preprocessing == PREPROCESSING
    pictures = [fit(smooth(64, 64, seed), clip.model_input) for seed in range(30)]
    found, right = short.embed_pictures(pictures), clip.embed_pictures(pictures)
    assert not np.array_equal(found, right)
    assert of_embeddings(right, found).fault == ""


def test_the_probe_of_a_large_model_is_asked_once_on_each_machine(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_settings().model_copy(update={"data": load_settings().data.model_copy(update={"dir": tmp_path})})
    monkeypatch.setattr(kept, "load_settings", lambda: own)
    monkeypatch.setattr(choice, "is_worth_it", lambda model: True)
    heard: list[str] = []

    def loaded() -> Embedder:
        made = Embedder(str(clip_folder), torch.device("cpu"), "auto", 8, report=lambda what, _: heard.append(what))
        made.load_pictures()
        return made

    first = loaded()
    assert sum("is fast and right on this machine, once" in what for what in heard) == 1
    assert loaded().precision == first.precision
    assert sum("is fast and right on this machine, once" in what for what in heard) == 1


def test_a_checkpoint_of_another_kind_is_named(blip_folder: Path) -> None:
    clip = Embedder(str(blip_folder), torch.device("cpu"), "float32", 1)
    for load in (clip.load_pictures, clip.load_texts):
        with pytest.raises(
            WrongUse,
            match=r"models\.clip = .* is a 'blip' checkpoint, which does not embed .*: name one of CLIP, SigLIP, ",
        ):
            load()


def without(folder: Path, like: Path, prefix: str) -> Path:
    """A checkpoint whose file has no weight of one tower."""
    shutil.copytree(like, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(prefix)}
    assert 0 < len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_texts_need_no_weight_of_the_tower_for_pictures(tmp_path: Path, clip: Embedder, clip_folder: Path) -> None:
    blind = Embedder(str(without(tmp_path / "clip", clip_folder, "vision_")), torch.device("cpu"), "bfloat16", 8)
    assert np.array_equal(blind.embed_texts(["a red circle"]), clip.embed_texts(["a red circle"]))
    assert blind.text.is_loaded
    assert not blind.vision.is_loaded


def test_pictures_need_no_weight_of_the_tower_for_texts(
    tmp_path: Path, clip: Embedder, clip_folder: Path, scenes: list[Scene]
) -> None:
    mute = Embedder(str(without(tmp_path / "clip", clip_folder, "text_")), torch.device("cpu"), "float32", 8)
    pictures = drawn(scenes[:3], clip)
    assert np.array_equal(mute.embed_pictures(pictures), clip.embed_pictures(pictures))
    assert not mute.text.is_loaded
