"""The tower for texts in numpy against the one of transformers, and what it leaves to that one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel

from tests.conftest import ROOT
from workers.inference.embedders.clip_text_tower import BATCH, TextTower, Unusual
from workers.inference.embedders.embedder import Embedder
from workers.inference.embedders.library_text_tower import LibraryTextTower

CPU = torch.device("cpu")
TEXTS = [
    "a red circle",
    "A  LARGE\tblue Square, left of the small green star!",
    "it's 12 o'clock: d\u00e9j\u00e0 vu, \u65e5\u672c\u8a9e \U0001f600",
    "a red circle " * 50,
    "",
    "<|endoftext|> a <|startoftext|>",
]


def random_clip(folder: Path, like: Path, **text: Any) -> Path:
    """A checkpoint with random weights, and the tokenizer of the shipped one."""
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    shipped = CLIPConfig.from_pretrained(like)
    torch.manual_seed(4)
    small = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = {key: getattr(shipped.text_config, key) for key in ("vocab_size", "bos_token_id", "eos_token_id")}
    vision = {**small, "image_size": 32, "patch_size": 16, "initializer_range": 0.2}
    settings = {**small, **words, "max_position_embeddings": 20, "initializer_range": 0.2, **text}
    CLIPModel(CLIPConfig(text_config=settings, vision_config=vision, projection_dim=48)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "text",
    [{}, {"hidden_act": "gelu"}, {"eos_token_id": 2}, {"layer_norm_eps": 1e-3}],
    ids=["as it is", "the exact GELU", "the number of the end of older configs", "another epsilon"],
)
def test_embeddings_are_those_of_transformers(tmp_path: Path, clip_folder: Path, text: dict[str, Any]) -> None:
    folder = random_clip(tmp_path / "clip", clip_folder, **text)
    ours, theirs = TextTower(str(folder)), LibraryTextTower(str(folder), CPU)
    for each in TEXTS:
        assert np.allclose(ours.embed([each]), theirs.embed([each]), atol=2e-5)
    assert np.allclose(ours.embed(TEXTS), np.concatenate([theirs.embed([each]) for each in TEXTS]), atol=2e-5)


def test_more_texts_than_one_batch_keep_their_order(clip_folder: Path) -> None:
    tower = TextTower(str(clip_folder))
    texts = [f"a {size} red circle" for size in ("small", "large")] * BATCH
    rows = tower.embed(texts)
    assert rows.shape == (2 * BATCH, 128)
    assert np.allclose(rows[::2], rows[0], atol=1e-6)
    assert not np.allclose(rows[0], rows[1], atol=1e-2)


def test_both_towers_tell_a_text_that_is_too_long(clip_folder: Path) -> None:
    for tower in (TextTower(str(clip_folder)), LibraryTextTower(str(clip_folder), CPU)):
        assert [tower.is_cut(text) for text in ("a circle", " ".join(300 * ["circle"]))] == [False, True]


def test_weights_in_half_precision_are_read(tmp_path: Path, clip_folder: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    CLIPModel.from_pretrained(clip_folder, dtype="float16").save_pretrained(folder)
    half, whole = TextTower(str(folder)), TextTower(str(clip_folder))
    assert (half.embed(TEXTS[:2]) * whole.embed(TEXTS[:2])).sum(axis=1).min() > 0.9999


@pytest.mark.parametrize("unusual", ["activation", "tokenizer", "bfloat16", "a weight is missing", "no tokenizer.json"])
def test_what_is_not_known_here_is_left_to_transformers(tmp_path: Path, clip_folder: Path, unusual: str) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    weights = load_file(folder / "model.safetensors")
    if unusual == "activation":
        config = json.loads((folder / "config.json").read_text())
        config["text_config"]["hidden_act"] = "relu"
        (folder / "config.json").write_text(json.dumps(config))
    elif unusual == "tokenizer":
        config = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": "BertTokenizer"}))
    elif unusual == "no tokenizer.json":
        (folder / "tokenizer.json").unlink()
    else:
        if unusual == "bfloat16":
            weights = {name: weight.bfloat16() for name, weight in weights.items()}
        else:
            del weights["text_model.final_layer_norm.bias"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises((Unusual, KeyError, TypeError)):
        TextTower(str(folder))


def test_a_checkpoint_in_an_unusual_form_is_embedded_by_transformers(tmp_path: Path, clip_folder: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    weights = load_file(folder / "model.safetensors")
    rounded = {name: weight.bfloat16() for name, weight in weights.items()}
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})
    clip = Embedder(str(folder), CPU, "float32", 8)
    assert isinstance(clip.text(), LibraryTextTower)
    assert (clip.embed_texts(TEXTS[:2]) * TextTower(str(clip_folder)).embed(TEXTS[:2])).sum(axis=1).min() > 0.99


def test_a_text_is_embedded_without_torch_and_transformers(clip_folder: Path) -> None:
    script = (
        "import sys, workers.gpu.worker\n"
        "from workers.inference.embedders.embedder import Embedder\n"
        f"print(Embedder({str(clip_folder)!r}, None, 'auto', 8).embed_texts(['a red circle']).shape)\n"
        "print([name for name in ('torch', 'transformers', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(1, 128)", "[]"]
