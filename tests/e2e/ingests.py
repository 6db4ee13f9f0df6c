"""Ingests to interfere with: small pictures, a stack without models, and a look at what is stored while it runs."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from models.scenes import draw, fresh_scenes
from settings import load_settings
from tasks.ledger import Ledger, jobs
from tasks.stack.locks import is_held, read_note
from tasks.stack.paths import StackPaths, stack_paths
from tests.conftest import ROOT
from tests.e2e.conftest import SECONDS, Home
from tests.until import until

HOOKS = Path(__file__).parent / "hooks"
# Nobody looks at the vectors here, so the null model's will do: it sleeps a GPU's milliseconds instead of computing.
WITHOUT_MODELS = {
    "DARKROOM__MODELS__CLIP": "null:25",
    "DARKROOM__MODELS__CAPTIONS": "false",
    "DARKROOM__GPU__BATCH_CLIP": "8",
    "DARKROOM__INGEST__WINDOW": "60",
}


class Gate:
    """Holds up the model of a home without models, so that a test has all the time to interfere with an ingest.

    While it is shut, each worker embeds some 40 pictures and then waits in the middle of a batch.
    """

    def __init__(self, home: Home) -> None:
        self._file = home.data.with_name(f"{home.data.name}-gate")
        home.settings.update({"PYTHONPATH": f"{HOOKS}:{ROOT}", "GATE": str(self._file)})

    def shut(self) -> None:
        """Let some pictures more through, and then none."""
        self._file.write_text(str(time.monotonic_ns()))

    def open(self) -> None:
        """Let all through from now on."""
        self._file.unlink()


def draw_pictures(folder: Path, count: int, seed: int) -> Path:
    """Small pictures, each another one."""
    folder.mkdir()
    for number, scene in enumerate(fresh_scenes(seed, count)):
        draw(scene, random.Random(number), 32).save(folder / f"{number:04}.png")
    return folder


def local_of(home: Home) -> StackPaths:
    """Where the stack of a home lives."""
    settings = load_settings()
    return stack_paths(settings.model_copy(update={"data": settings.data.model_copy(update={"dir": home.data})}))


class Inside:
    """A look into the stack of a home: its Redis, its processes, and the first job that was not there before."""

    def __init__(self, home: Home) -> None:
        self.local = local_of(home)
        self.redis = redis.Redis(unix_socket_path=str(self.local.socket))
        self._before = self._jobs()

    def stored(self) -> int:
        """How many files of the new job are stored, 0 while nobody knows."""
        with suppress(redis.RedisError):
            new = [job for job in self._jobs() if job not in self._before]
            return Ledger(self.redis, new[0]).counts().stored if new else 0
        return 0

    def queued(self, queue: str) -> int:
        """How many messages wait in a queue, 0 while nobody knows."""
        with suppress(redis.RedisError):
            return int(self.redis.llen(queue))
        return 0

    def _jobs(self) -> list[str]:
        with suppress(redis.RedisError):
            return jobs(self.redis)
        return []

    def pid(self, name: str) -> int:
        """The process id of a child, waited for."""
        file = self.local.pids / f"{name}.pid"
        return until(lambda: int(read_note(file) or 0) if is_held(file) else 0, f"{name} to run")

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a child; its process id."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid


def end_of(process: "subprocess.Popen[str]", said: str = "") -> "subprocess.CompletedProcess[str]":
    """The end of a command, which must not be a traceback; `said` is what has been read of its stderr."""
    out, err = process.communicate(timeout=SECONDS)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, said + err)


def wait_for_words(process: "subprocess.Popen[str]", words: str) -> str:
    """Wait until a command says something on stderr; all that it said up to there."""
    assert process.stderr
    said = ""
    while words not in said:
        line = process.stderr.readline()
        assert line, f"it ended without saying {words!r}: {said}"
        said += line
    return said
