"""What a checkpoint's processor asks for: done as the library does it, from the file to the result, or refused."""

import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BlipForConditionalGeneration,
    BlipProcessor,
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
)

from models.scenes import Scene, draw
from pictures.decode import decode
from pictures.preprocessing import ModelInput
from settings.errors import WrongUse
from tests.pictures.made.pictures import encoded, smooth
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.embedders.embedder import Embedder

CPU = torch.device("cpu")
SIZES = [(640, 480), (300, 411), (97, 61), (64, 64), (701, 103), (130, 131)]
SIDE = {"height": 64, "width": 64}
SQUASHED = {"size": SIDE, "do_center_crop": False}
EXACT = 0.9999

Changed = Callable[[dict[str, Any]], Path]

DONE = {
    "as it is": {},
    "sizes as numbers": {"size": 64, "crop_size": 64},
    "a resize that leaves a margin": {"size": {"shortest_edge": 73}},
    "squashed": SQUASHED,
    "squashed, without a crop size": SQUASHED | {"crop_size": None},
    "squashed, then cut out": {"size": {"height": 80, "width": 72}},
    "Lanczos": {"resample": 1},
    "bilinear": {"resample": 2},
    "box": {"resample": 4},
    "Hamming": {"resample": 5},
    "another mean and deviation": {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.6, 0.7]},
    "one mean and deviation": {"image_mean": 0.5, "image_std": 0.5},
    "values from 0 to 1": {"do_normalize": False},
    "values from -1 to 1": {"rescale_factor": 1 / 127.5, "image_mean": [1, 1, 1], "image_std": [1, 1, 1]},
    "values from 0 to 2, then normalised": {"rescale_factor": 1 / 127.5},
    "a mean and deviation of bytes": {"do_rescale": False, "image_mean": [120, 110, 100], "image_std": [70, 60, 50]},
    "another class": SQUASHED | {"image_processor_type": "ViTImageProcessor"},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no resize": ({"do_resize": False}, "it does not resize (do_resize)"),
    "more cut out than there is": (
        {"size": {"shortest_edge": 60}},
        "it cuts out more than the resized picture has (crop_size)",
    ),
    "pictures of different sizes": (
        {"do_center_crop": False},
        "its pictures have different sizes (shortest_edge without do_center_crop)",
    ),
    "a longest edge": ({"size": {"longest_edge": 64}}, "it resizes by longest_edge (size)"),
    "padding": ({"do_pad": True, "pad_size": SIDE}, "it pads pictures (do_pad)"),
    "a size that is not the model's": (
        {"size": {"shortest_edge": 72}, "crop_size": {"height": 72, "width": 72}},
        "its pictures are 72 x 72, but its model takes 64 x 64",
    ),
    "the nearest pixel": ({"resample": 0}, "it resizes by the filter 0 (resample)"),
    "an unknown filter": ({"resample": 9}, "it resizes by the filter 9 (resample)"),
    "no deviation": ({"image_std": [0.5, 0, 0.5]}, "it divides by zero (rescale_factor or image_std)"),
    "two means": (
        {"image_mean": [0.5, 0.5]},
        "it normalises by (0.5, 0.5), not by three numbers (image_mean, image_std)",
    ),
}


def changing(folder: Path, source: Path) -> Changed:
    """Makes a copy of a checkpoint whose image processor has other settings."""

    def change(settings: dict[str, Any]) -> Path:
        copied = shutil.copytree(source, folder / "copy")
        file = copied / "processor_config.json"
        found = json.loads(file.read_text())
        found["image_processor"] |= settings
        file.write_text(json.dumps(found))
        return copied

    return change


@pytest.fixture(scope="module")
def random_clip(tmp_path_factory: pytest.TempPathFactory, clip_folder: Path) -> Path:
    """A CLIP that nobody trained: it passes on fine detail as readily as shapes."""
    folder = tmp_path_factory.mktemp("random") / "clip"
    shutil.copytree(clip_folder, folder)
    torch.manual_seed(0)
    CLIPModel(CLIPConfig.from_pretrained(clip_folder)).save_pretrained(folder)
    return folder


@pytest.fixture
def clip_with(tmp_path: Path, random_clip: Path) -> Changed:
    """The random CLIP with other settings of its processor."""
    return changing(tmp_path, random_clip)


@pytest.fixture
def blip_with(tmp_path: Path, blip_folder: Path) -> Changed:
    """The shipped BLIP with other settings of its processor."""
    return changing(tmp_path, blip_folder)


def files() -> list[bytes]:
    """Pictures of many proportions, larger and smaller than the model's."""
    return [encoded(smooth(*size, seed), "PNG") for seed, size in enumerate(SIZES)]


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("settings", DONE.values(), ids=DONE)
@torch.inference_mode()
def test_embeddings_are_those_of_the_library(settings: dict[str, Any], clip_with: Changed) -> None:
    folder = clip_with(settings)
    clip = Embedder(str(folder), CPU, "float32", 8)
    ours = clip.embed_pictures([decode(data, 10**7, clip.model_input, None).clip for data in files()])
    model, processor = CLIPModel.from_pretrained(folder).eval(), CLIPProcessor.from_pretrained(folder)
    inputs = processor(images=[opened(data) for data in files()], return_tensors="pt")
    features = model.get_image_features(pixel_values=inputs["pixel_values"]).pooler_output
    theirs = torch.nn.functional.normalize(features, dim=-1).numpy()
    # Without what all pictures share, which would hide a difference.
    centred = [rows - theirs.mean(axis=0) for rows in (ours, theirs)]
    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in centred)
    assert (one * other).sum(axis=1).min() >= EXACT
    assert clip.notes == []


@pytest.mark.parametrize(("settings", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_processor_that_does_more_is_refused_by_name(
    settings: dict[str, Any], reason: str, clip_with: Changed
) -> None:
    folder = clip_with(settings)
    with pytest.raises(WrongUse) as refused:
        Embedder(str(folder), CPU, "float32", 8).load_pictures()
    assert str(refused.value) == f"models.clip = {str(folder)!r}: Darkroom cannot do what its processor does: {reason}."


def test_a_processor_that_does_what_no_setting_says_is_refused_by_name(clip_with: Changed) -> None:
    # It subtracts one after it has rescaled; the settings have a name of its own for that.
    folder = clip_with(SQUASHED | {"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": True})
    with pytest.raises(WrongUse) as refused:
        Embedder(str(folder), CPU, "float32", 8).load_pictures()
    assert "Darkroom cannot prepare pictures as its processor does (EfficientNetImageProcessor" in str(refused.value)


@torch.inference_mode()
def test_a_processor_in_a_file_of_older_versions_is_read(clip_with: Changed) -> None:
    folder = clip_with({})
    (folder / "processor_config.json").unlink()
    older = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 64, "crop_size": 64, "do_center_crop": True}
    older |= {"do_resize": True, "do_normalize": True, "resample": 3, "image_mean": [0.5] * 3, "image_std": [0.4] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(older))
    wanted = Embedder(str(folder), CPU, "float32", 8).model_input
    assert isinstance(wanted, ModelInput)
    assert (wanted.edge, wanted.width, wanted.mean, wanted.std) == (64, 64, (0.5,) * 3, (0.4,) * 3)


def test_a_text_has_the_embedding_of_the_library(random_clip: Path) -> None:
    texts = ["a red circle", "a small blue square left of a large green triangle " * 5]
    model, processor = CLIPModel.from_pretrained(random_clip).eval(), CLIPProcessor.from_pretrained(random_clip)
    tokens = processor(text=texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = torch.nn.functional.normalize(model.get_text_features(**tokens).pooler_output, dim=-1).numpy()
    assert (Embedder(str(random_clip), CPU, "float32", 8).embed_texts(texts) * theirs).sum(axis=1).min() >= EXACT


BLIP_SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a size as a number": {"size": 64},
    "bilinear": {"resample": 2},
    "Lanczos": {"resample": 1},
    "values from 0 to 1": {"do_normalize": False},
    "values from 0 to 2, then normalised": {"rescale_factor": 1 / 127.5},
    "CLIP's processor": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 64},
        "crop_size": SIDE,
        "do_center_crop": True,
    },
}


@pytest.mark.parametrize("settings", BLIP_SETTINGS.values(), ids=BLIP_SETTINGS)
@torch.inference_mode()
def test_captions_are_word_for_word_those_of_the_library(
    settings: dict[str, Any], blip_with: Changed, scenes: list[Scene]
) -> None:
    folder = blip_with(settings)
    drawn = [encoded(draw(scene, random.Random(number), 192), "PNG") for number, scene in enumerate(scenes[:6])]
    blip = checkpoint_captioner(str(folder), CPU, "float32", 8, 20)
    ours = blip.caption([decode(data, 10**7, blip.model_input, None).clip for data in drawn])
    model, processor = (
        BlipForConditionalGeneration.from_pretrained(folder).eval(),
        BlipProcessor.from_pretrained(folder),
    )
    inputs = processor(images=[opened(data) for data in drawn], return_tensors="pt")
    tokens = model.generate(pixel_values=inputs["pixel_values"], max_new_tokens=20, num_beams=1, do_sample=False)
    assert ours == [words.strip() for words in processor.batch_decode(tokens, skip_special_tokens=True)]
    assert blip.notes == []


def test_a_blip_whose_processor_pads_is_refused_by_name(blip_with: Changed) -> None:
    folder = blip_with({"do_pad": True, "pad_size": SIDE})
    with pytest.raises(WrongUse, match=r"models\.blip = .* it pads pictures \(do_pad\)\.$"):
        checkpoint_captioner(str(folder), CPU, "float32", 8, 20).load()
