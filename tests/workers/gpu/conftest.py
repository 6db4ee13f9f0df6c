"""The shipped models, loaded once for all tests in the precision that is the same everywhere, and pipelines of them."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import torch

from models.scenes import Scene, draw
from tests.conftest import ROOT
from tests.workers.gpu.bench import Bench, LookUp, Open
from workers.gpu.blip import Blip
from workers.gpu.clip import Clip

CPU = torch.device("cpu")
# The models are tiny: a second thread gains nothing, and on a busy machine each layer would wait for both.
torch.set_num_threads(1)


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


@pytest.fixture
def bench(clip: Clip, blip: Blip, client: redis.Redis) -> Iterator[Open]:
    """Opens pipelines; captions and known content are asked for by argument."""
    opened: list[Bench] = []

    def open_one(captions: bool = False, look_up: LookUp = lambda shas: [None] * len(shas)) -> Bench:
        opened.append(Bench(clip, blip if captions else None, client, look_up))
        return opened[-1]

    yield open_one
    for each in opened:
        each.pipeline.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    """Forty different pictures, `picture 00.png` and so on."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, scene in enumerate(scenes[:40]):
        draw(scene, random.Random(number), 72).save(folder / f"picture {number:02d}.png")
    return folder
