"""Ctrl-C in the middle of an ingest: once finishes what is in flight, twice leaves it; the same command goes on."""

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
from tasks.ledger import Counts, Ledger, jobs
from tasks.local import local_paths
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
        {"DARKROOM__INGEST__WINDOW": str(WINDOW), "DARKROOM__MODELS__CAPTIONS": "false", "DARKROOM__GPU__BATCH_CLIP": "8"}
    )
    return home


@pytest.fixture
def counts(home: Home) -> Iterator[Callable[[], Counts]]:
    """What the latest job's ledger in the home's own Redis says; nothing while that Redis is not up."""
    settings = load_settings()
    own = settings.model_copy(update={"data": settings.data.model_copy(update={"dir": home.data})})
    client = redis.Redis(unix_socket_path=str(local_paths(own).socket))

    def look() -> Counts:
        with suppress(redis.RedisError):
            for job in jobs(client, 1):
                return Ledger(client, job).counts()
        return Counts()

    yield look
    client.close()


def end_of(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    out, err = process.communicate(timeout=SECONDS)
    assert "Traceback" not in err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def resume(pictures: Path) -> str:
    return f"Resume with: python -m producer ingest '{pictures}'"


def assert_all_stored_once(home: Home, pictures: Path) -> None:
    wanted = {file.as_uri() for file in pictures.iterdir()}
    assert set(home.points()) == wanted


def test_once_finishes_what_is_in_flight_and_the_next_ingest_does_the_rest(
    slow_home: Home, pictures: Path, counts: Callable[[], Counts]
) -> None:
    process = slow_home.start("ingest", str(pictures))
    until(lambda: counts().stored, "the first files to be stored")
    process.send_signal(signal.SIGINT)
    done = end_of(process)
    assert done.returncode == 130, done.stderr
    assert "Stopped enqueuing." in done.stderr
    assert "press Ctrl-C again to leave them in the queue" in done.stderr
    assert "Interrupted; every file that was enqueued is finished.\n" in done.stdout
    assert done.stdout.splitlines()[-1] == resume(pictures)
    first = len(slow_home.points())
    assert 0 < first < FILES
    assert done.stdout.startswith(f"{first} stored, 0 unchanged, 0 failed: ")
    again = slow_home.json("ingest", str(pictures))
    assert again["exit"] == 0
    assert (again["total"], again["skipped"], again["stored"]) == (FILES, first, FILES - first)
    assert_all_stored_once(slow_home, pictures)


def test_twice_leaves_at_once_and_the_next_ingest_stores_every_file_once(
    slow_home: Home, pictures: Path, counts: Callable[[], Counts]
) -> None:
    process = slow_home.start("ingest", str(pictures), "--json")
    until(lambda: counts().stored, "the first files to be stored")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    until(lambda: "Stopped enqueuing." in process.stderr.readline(), "the answer to the first Ctrl-C")
    process.send_signal(signal.SIGINT)
    done = end_of(process)
    assert done.returncode == 130, done.stderr
    assert resume(pictures) in done.stderr
    assert done.stdout.count("\n") == 1
    again = slow_home.json("ingest", str(pictures))
    assert again["exit"] == 0
    assert again["total"] == FILES == again["stored"] + again["skipped"]
    assert again["skipped"] > 0
    assert_all_stored_once(slow_home, pictures)


def test_while_the_stack_starts_it_ends_the_command_and_leaves_nothing_behind(
    slow_home: Home, pictures: Path
) -> None:
    process = slow_home.start("ingest", str(pictures))
    until(lambda: (slow_home.data / "logs" / "stack.log").exists(), "the stack to be started")
    process.send_signal(signal.SIGINT)
    done = end_of(process)
    assert done.returncode == 130, done.stdout + done.stderr
    assert slow_home.json("ingest", str(pictures))["stored"] == FILES
