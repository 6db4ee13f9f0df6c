"""Ctrl-C in the middle of an ingest: once finishes what is in a model, twice ends at once; the same command goes on."""

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
from tasks.stack.paths import stack_paths
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
            # A second for four pictures: the folder takes a minute, and whoever interrupts has time for it.
            "DARKROOM__MODELS__CLIP": "null:250",
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


def test_once_begins_nothing_more_twice_ends_at_once_and_the_next_ingest_does_the_rest(
    slow_home: Home, pictures: Path, stored: Callable[[int], int]
) -> None:
    process = slow_home.start("ingest", str(pictures))
    until(lambda: stored(1), "the first files to be stored")
    process.send_signal(signal.SIGINT)
    once = end_of(process)
    assert once.returncode == 130, once.stderr
    assert (
        "Stopping: nothing more is begun, and what is in a model is finished, which takes at most 10 s." in once.stderr
    )
    assert "Ctrl-C again leaves at once." in once.stderr
    assert once.stdout.splitlines()[-1] == resume(pictures)
    first = len(slow_home.points())
    assert 0 < first < FILES
    assert once.stdout.startswith(f"{first} stored: ")

    process = slow_home.start("ingest", str(pictures), "--json")
    until(lambda: stored(2), "more files to be stored")
    process.send_signal(signal.SIGINT)
    answer = process.stderr
    assert answer is not None
    until(lambda: "Stopping" in answer.readline(), "the answer to the first Ctrl-C")
    process.send_signal(signal.SIGINT)
    twice = end_of(process)
    assert twice.returncode == 130, twice.stderr
    left = json.loads(twice.stdout)
    assert left["skipped"] == first
    assert first < len(slow_home.points()) < FILES

    last = slow_home.json("resume", DARKROOM__MODELS__CLIP="null:25")
    assert last["exit"] == 0
    assert last["total"] == FILES == last["stored"] + last["skipped"]
    assert last["skipped"] >= first + left["stored"]
    # `points` fails for an address that is there twice.
    assert set(slow_home.points()) == {file.as_uri() for file in pictures.iterdir()}
    assert slow_home.json("resume") == {"job": None, "total": 0, "exit": 0}


def test_a_window_that_would_take_minutes_is_left_in_seconds_and_a_search_works_on_none_of_it(
    home: Home, pictures: Path, stored: Callable[[int], int]
) -> None:
    # A model that takes a second a picture: the window alone would take four minutes.
    home.settings.update(
        {
            "DARKROOM__MODELS__CLIP": "null:1000",
            "DARKROOM__MODELS__CAPTIONS": "false",
            "DARKROOM__GPU__BATCH_CLIP": "1",
            "DARKROOM__GPU__IN_FLIGHT": "64",
        }
    )
    process = home.start("ingest", str(pictures), "--json")
    until(lambda: stored(1), "the first files to be stored")
    process.send_signal(signal.SIGINT)
    done = end_of(process)
    assert done.returncode == 130, done.stderr
    found = json.loads(done.stdout)
    points = len(home.points())
    assert found["stored"] == points < 60
    # The worker that held the rest has let go of it, so nothing comes back when its lease runs out.
    status = home.json("status")
    assert (status["left"], set(status["queues"].values())) == ({}, {0})
    assert status["jobs"][0]["state"] == "interrupted"
    assert len(home.json("search", "a square", "-n", "500")["results"]) == points


def test_the_work_of_a_killed_ingest_waits_until_somebody_asks_for_it(
    home: Home, pictures: Path, stored: Callable[[int], int]
) -> None:
    home.settings.update(
        {"DARKROOM__MODELS__CLIP": "null:100", "DARKROOM__MODELS__CAPTIONS": "false", "DARKROOM__GPU__BATCH_CLIP": "1"}
    )
    process = home.start("ingest", str(pictures))
    until(lambda: stored(1), "the first files to be stored")
    process.kill()
    process.communicate()
    points = len(home.points())
    assert points < FILES
    # One stack for all that comes, which has all the time in the world to go on by itself.
    home.settings["DARKROOM__STACK__LINGER_SECONDS"] = "120"
    # Neither a command that only shows something nor a search goes on with it, whatever models that shell has set.
    others = {"DARKROOM__MODELS__CLIP": "null:10"}
    status = home.json("status", **others)
    job = status["jobs"][0]["job"]
    assert status["left"][job] > 0
    assert f"of job {job} still wait: python -m producer resume {job} goes on" in home.run("status", **others).stdout
    assert len(home.json("search", "a square", "-n", "500")["results"]) == points
    assert home.json("status")["left"] == status["left"]

    down = home.run("down", "--discard", module="workers")
    assert (down.returncode, down.stderr) == (0, "")
    assert "messages that waited were dropped." in down.stdout
    assert home.json("status")["left"] == {}
    done = home.json("resume", job, **others)
    assert (done["exit"], done["stored"] + done["skipped"]) == (0, FILES)
    home.run("down", module="workers")
    assert len(home.points()) == FILES


def test_an_ingest_that_is_refused_leaves_no_job(home: Home, pictures: Path, tmp_path: Path) -> None:
    home.settings["DARKROOM__MODELS__CLIP"] = str(tmp_path / "there is no such model")
    refused = home.run("ingest", str(pictures))
    assert refused.returncode in (2, 3), refused.stderr
    home.settings.clear()
    status = home.json("status")
    assert (status["jobs"], status["left"], set(status["queues"].values())) == ([], {}, {0})
    assert list((home.data / "jobs").glob("*")) == []


def test_while_the_stack_starts_it_ends_the_command_and_the_next_one_works(home: Home, pictures: Path) -> None:
    process = home.start("ingest", str(pictures))
    until(lambda: (home.data / "logs" / "stack.log").exists(), "the stack to be started")
    process.send_signal(signal.SIGINT)
    done = end_of(process)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.split() == ["interrupted"]
    assert home.json("status")["jobs"] == []
