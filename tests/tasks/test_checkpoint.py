"""The name of a checkpoint follows its weights, not its place."""

import shutil
from pathlib import Path

import pytest

from settings.errors import WrongUse
from tasks.checkpoint import checkpoint_name

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "shapes-clip"


def test_a_hub_id_is_its_own_name() -> None:
    assert checkpoint_name("openai/clip-vit-base-patch32") == "openai/clip-vit-base-patch32"


def test_a_copied_folder_keeps_its_name_and_changed_weights_change_it(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "shapes-clip"
    shutil.copytree(SHIPPED, copy)
    assert checkpoint_name(str(copy)) == checkpoint_name(str(SHIPPED))
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert checkpoint_name(str(copy)) != checkpoint_name(str(SHIPPED))


def test_a_folder_that_is_not_there_is_a_mistake_and_named() -> None:
    with pytest.raises(WrongUse, match="/nowhere/clip"):
        checkpoint_name("/nowhere/clip")
