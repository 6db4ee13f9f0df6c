"""Ctrl-C in the middle of an ingest: once finishes what is in flight, twice leaves it; the same command goes on."""

import json
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from models.scenes import draw, fresh_scenes
from settings import load_settings
from tasks.ledger import Ledger, jobs
from tasks.stack_paths import stack_paths
from tests.e2e.conftest import SECONDS, Home
from tests.until import until

pytestmark = pytest.mark.e2e

FILES = 240
WINDOW = 24


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred small pictures, each another one, in a folder whose name a shell would split."""
    folder = tmp_path_factory.mktemp("interrupted") / "my pictures"
    folder.mkdir()
    for number, scene in enumerate(fresh_scenes(seed=44, count=FILES)):
        draw(scene, random.Random(number), 48).save(folder / f"{number:04}.png")
    return folder


@pytest.fixture
def slow_home(home: Home) -> Home:
    """A home with a window so small that most of the folder is not enqueued yet when the first files are stored."""
    home.settings.update(
        {
            "DARKROOM__INGEST__WINDOW": str(WINDOW),
            "DARKROOM__MODELS__CAPTIONS": "false",
            "DARKROOM__GPU__BATCH_CLIP": "8",
        }
    )
    return home


@pytest.fixture
def stored(home: Home) -> Iterator[Callable[[int], int]]:
    """How many files of the home's job number 1, 2, ... are stored, by its ledger in the home's own Redis."""
    settings = load_settings()
    own = settings.model_copy(update={"data": settings.data.model_copy(update={"dir": home.data})})
    client = redis.Redis(unix_socket_path=str(stack_paths(own).socket))

    def look(number: int) -> int:
        with suppress(redis.RedisError):
            newest_first = jobs(client)
            if len(newest_first) == number:
                return Ledger(client, newest_first[0]).counts().stored
        return 0

    yield look
    client.close()


def end_of(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    out, err = process.communicate(timeout=SECONDS)
    assert "Traceback" not in err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def resume(pictures: Path) -> str:
    return f"Resume with: python -m producer ingest '{pictures}'"


def test_once_finishes_what_is_in_flight_twice_leaves_it_and_the_next_ingest_does_the_rest(
    slow_home: Home, pictures: Path, stored: Callable[[int], int]
) -> None:
    process = slow_home.start("ingest", str(pictures))
    until(lambda: stored(1), "the first files to be stored")
    process.send_signal(signal.SIGINT)
    once = end_of(process)
    assert once.returncode == 130, once.stderr
    assert "Stopped enqueuing." in once.stderr
    assert "press Ctrl-C again to leave them in the queue" in once.stderr
    assert "Interrupted; every file that was enqueued is finished.\n" in once.stdout
    assert once.stdout.splitlines()[-1] == resume(pictures)
    first = len(slow_home.points())
    assert 0 < first < FILES
    assert once.stdout.startswith(f"{first} stored, 0 unchanged, 0 failed: ")

    process = slow_home.start("ingest", str(pictures), "--json")
    until(lambda: stored(2), "more files to be stored")
    process.send_signal(signal.SIGINT)
    answer = process.stderr
    assert answer is not None
    until(lambda: "Stopped enqueuing." in answer.readline(), "the answer to the first Ctrl-C")
    process.send_signal(signal.SIGINT)
    twice = end_of(process)
    assert twice.returncode == 130, twice.stderr
    assert resume(pictures) in twice.stderr
    left = json.loads(twice.stdout)
    assert left["skipped"] == first
    assert first < len(slow_home.points()) < FILES

    last = slow_home.json("ingest", str(pictures))
    assert last["exit"] == 0
    assert last["total"] == FILES == last["stored"] + last["skipped"]
    assert last["skipped"] >= first + left["stored"]
    # `points` fails for an address that is there twice.
    assert set(slow_home.points()) == {file.as_uri() for file in pictures.iterdir()}


def test_while_the_stack_starts_it_ends_the_command_and_the_next_one_works(home: Home, pictures: Path) -> None:
    process = home.start("ingest", str(pictures))
    until(lambda: (home.data / "logs" / "stack.log").exists(), "the stack to be started")
    process.send_signal(signal.SIGINT)
    done = end_of(process)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.split() == ["interrupted"]
    assert home.json("status")["jobs"] == []
