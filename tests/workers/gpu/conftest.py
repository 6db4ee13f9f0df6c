"""The shipped models, loaded once for all tests, in the precision that is the same everywhere."""

from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from workers.gpu.blip import Blip
from workers.gpu.clip import Clip

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def clip_folder() -> Path:
    """Where the shipped CLIP lies."""
    return ROOT / "models" / "shapes-clip"


@pytest.fixture(scope="session")
def blip_folder() -> Path:
    """Where the shipped BLIP lies."""
    return ROOT / "models" / "shapes-blip"


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    """The shipped CLIP, warm."""
    return Clip(str(clip_folder), CPU, "float32", 8)


@pytest.fixture(scope="session")
def blip(blip_folder: Path) -> Blip:
    """The shipped BLIP, warm."""
    return Blip(str(blip_folder), CPU, "float32", 8, 30)
