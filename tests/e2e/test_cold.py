"""A command with no stack running loads what it asks for, and no more."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tasks.checkpoint import checkpoint_name
from tests.e2e.conftest import Home
from tests.workers.storage.pictures import picture
from workers.storage.embedded.catalog import EdgeCatalog

pytestmark = pytest.mark.e2e

DIM = 128  # of the shipped CLIP
NOT_HERE = {"DARKROOM__MODELS__BLIP": "nobody/never-downloaded", "HF_HUB_OFFLINE": "1"}


def with_one_picture(home: Home, clip: Path) -> Home:
    """The home, with a picture in its collection that this CLIP has embedded."""
    home.settings["DARKROOM__MODELS__CLIP"] = str(clip)
    name = checkpoint_name(str(clip))
    catalog = EdgeCatalog(home.data / "catalog", "pictures")
    catalog.ensure(DIM, name)
    point = picture(1, clip_model=name)
    catalog.upsert([type(point)(point.id, np.full(DIM, DIM**-0.5, dtype=np.float32), point.payload)])
    catalog.close()
    return home


def without(clip: Path, folder: Path, tower: str) -> Path:
    """A copy of a CLIP in `folder` that lacks the weights of a tower, "text_" or "visual_"."""
    shutil.copytree(clip, folder)
    lacks = (tower, "vision_") if tower == "visual_" else (tower,)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(lacks)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors")
    return folder


def test_a_search_by_words_loads_neither_blip_nor_the_tower_for_pictures(
    home: Home, clip_folder: Path, tmp_path: Path
) -> None:
    with_one_picture(home, without(clip_folder, tmp_path / "blind", "visual_"))
    found = home.run("search", "a red circle", **NOT_HERE)
    assert found.returncode == 0, found.stderr
    assert "1.jpg" in found.stdout


def test_a_search_by_a_picture_loads_neither_blip_nor_the_tower_for_words(
    home: Home, folder: Path, clip_folder: Path, tmp_path: Path
) -> None:
    with_one_picture(home, without(clip_folder, tmp_path / "mute", "text_"))
    found = home.run("search", "--image", str(folder / "picture 00.png"), **NOT_HERE)
    assert found.returncode == 0, found.stderr
    assert "1.jpg" in found.stdout


def test_an_ingest_whose_captions_cannot_be_written_says_why(home: Home, folder: Path) -> None:
    ended = home.run("ingest", str(folder), **NOT_HERE)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "The model 'nobody/never-downloaded' (models.blip) is not on this machine" in ended.stderr.splitlines()[-1]


def test_who_asks_for_a_part_that_cannot_be_loaded_gets_its_sentence(
    home: Home, clip_folder: Path, tmp_path: Path
) -> None:
    mute = without(clip_folder, tmp_path / "mute", "text_")
    asked = with_one_picture(home, mute).run("search", "a red circle", DARKROOM__MODELS__CAPTIONS="false")
    assert (asked.returncode, asked.stdout) == (3, "")
    (told,) = [line for line in asked.stderr.splitlines() if line.startswith("error: ")]
    assert f"models.clip = {str(mute)!r} lacks " in told
    assert "of the weights of a CLIPTextModelWithProjection" in told
