"""Starts tiny workers as processes of their own, and ends those that are left."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from settings import Settings, load_settings
from tasks.broker import redis_client
from tasks.registry import ready
from tests.conftest import ROOT
from tests.until import until

TIMEOUT = 3
# For work that nobody may begin a second time: a worker that does not get its turn for some seconds keeps its leases.
PATIENT = 10


def on_broker(url: str) -> Settings:
    """The settings in force, with another broker.url."""
    own = load_settings()
    return own.model_copy(update={"broker": own.broker.model_copy(update={"url": url})})


class Workers:
    """Tiny workers on one Redis, whose leases last `lease` seconds; what they write goes to NAME.log in `folder`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.lease = TIMEOUT
        self._url = url
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a worker; it consumes when this returns."""
        env = {
            **os.environ,
            "DARKROOM__BROKER__URL": self._url,
            "DARKROOM__BROKER__VISIBILITY_TIMEOUT": str(self.lease),
            "PYTHONPATH": str(ROOT),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.tasks.tiny_worker", name], cwd=ROOT, env=env, stdout=log, stderr=log
            )
        self._started.append(worker)
        client = redis_client(on_broker(self._url))
        until(lambda: ready(client).get(name) == worker.pid, f"worker {name} to be ready")
        client.close()
        return worker

    def log(self, name: str) -> str:
        """What a worker wrote so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Kill those that still live."""
        for worker in self._started:
            worker.kill()
            worker.wait()


@contextmanager
def workers_on(url: str, folder: Path) -> Iterator[Workers]:
    """Workers that end with the block."""
    with ExitStack() as stack:
        workers = Workers(url, folder)
        stack.callback(workers.end)
        yield workers
