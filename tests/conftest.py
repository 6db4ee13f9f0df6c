"""What all tests share: settings that touch nothing of the user's, a private Redis, pictures with known sentences."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from workers.inference.captioners.captioner import Captioner
    from workers.inference.embedders.embedder import Embedder

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = Path(tempfile.mkdtemp(prefix="darkroom-tests-"))

# Before anything of the project is imported: the Celery app reads its settings once. Hence the late imports below.
for name in [name for name in os.environ if name.startswith("DARKROOM")]:
    del os.environ[name]
os.environ["DARKROOM__DATA__DIR"] = str(SCRATCH / "data")
os.environ["DARKROOM__BROKER__URL"] = f"unix://{SCRATCH}/redis.sock"
os.environ["DARKROOM__MODELS__CLIP"] = str(ROOT / "models" / "shapes-clip")
os.environ["DARKROOM__MODELS__BLIP"] = str(ROOT / "models" / "shapes-blip")
# A stack that waits for its next user would outlive its test.
os.environ["DARKROOM__STACK__LINGER_SECONDS"] = "0"
os.environ["DARKROOM__WEB__UP"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
# Where the settings and the data of whoever runs the tests are not.
os.environ["XDG_CONFIG_HOME"] = str(SCRATCH / "config")
os.environ["XDG_DATA_HOME"] = str(SCRATCH / "share")

# The models are tiny and other tests run beside: a second thread gains nothing, and where the cores are busy the two
# wait for each other after every layer, which takes thirty times the processor time.
os.environ["OMP_NUM_THREADS"] = "1"
# Hundreds of commands are started, and without kept bytecode each would compile the project anew: a third of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell that starts the tests with `&` has them ignore Ctrl-C, which the commands that they start would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

import redis  # noqa: E402, after the environment is set

from models.scenes import Scene, draw, fresh_scenes  # noqa: E402, after the environment is set


def redis_server() -> str:
    """The Redis that the local stack takes."""
    from workers.supervisor.redis_server import redis_server as program

    return program()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first: then those that run the whole pipeline, last those that kill parts of it.

    Where several processes share them (`-n`) it is the other way round: none is left with a long one at the end.
    """
    items.sort(
        key=lambda item: (item.get_closest_marker("chaos") is not None, item.get_closest_marker("e2e") is not None),
        reverse=hasattr(config, "workerinput"),
    )


def pytest_sessionfinish() -> None:
    """Leave nothing behind."""
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_process() -> Iterator[str]:
    """A private Redis on the socket that the settings name; its URL."""
    socket = SCRATCH / "redis.sock"
    server = subprocess.Popen(
        [redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(SCRATCH)],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{socket}"
    client = redis.Redis.from_url(url)
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            assert server.poll() is None, "redis-server did not start"
    yield url
    server.terminate()
    server.wait()


@pytest.fixture
def client(redis_process: str) -> Iterator["redis.Redis"]:
    """A client of the private Redis, emptied before the test."""
    connection = redis.Redis.from_url(redis_process)
    connection.flushall()
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    """A hundred scenes that training never saw."""
    return fresh_scenes(seed=2026, count=100)


@pytest.fixture
def draw_scenes() -> Callable[[list[Scene], Path], dict[str, Scene]]:
    """Draw scenes as files `0000.png`, `0001.jpg`, ... into a folder; returns name -> scene."""

    def draw_all(chosen: list[Scene], folder: Path) -> dict[str, Scene]:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = {}
        for number, scene in enumerate(chosen):
            name = f"{number:04d}.{('png', 'jpg', 'webp')[number % 3]}"
            draw(scene, random.Random(number), 192).save(folder / name, quality=92)
            drawn[name] = scene
        return drawn

    return draw_all


@pytest.fixture(scope="session")
def clip_folder() -> Path:
    """Where the shipped CLIP lies."""
    return ROOT / "models" / "shapes-clip"


@pytest.fixture(scope="session")
def blip_folder() -> Path:
    """Where the shipped BLIP lies."""
    return ROOT / "models" / "shapes-blip"


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> "Embedder":
    """The shipped CLIP, warm, in the precision that is the same everywhere."""
    import torch

    from workers.inference.embedders.embedder import Embedder

    embedder = Embedder(str(clip_folder), torch.device("cpu"), "float32", 8)
    # Here and not when a test first uses it, which may have replaced what a model is checked with when it is loaded.
    embedder.load_pictures()
    embedder.load_texts()
    return embedder


@pytest.fixture(scope="session")
def blip(blip_folder: Path) -> "Captioner":
    """The shipped BLIP, warm, in the precision that is the same everywhere."""
    import torch

    from workers.inference.captioners.captioner import checkpoint_captioner

    captioner = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "float32", 8, 30)
    captioner.load()  # as above
    return captioner


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    """Forty different pictures, `picture 00.png` and so on."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, scene in enumerate(scenes[:40]):
        draw(scene, random.Random(number), 72).save(folder / f"picture {number:02d}.png")
    return folder
