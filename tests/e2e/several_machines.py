"""Workers as several machines would have them: one Redis, storage and GPU workers by name, producers beside them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tasks.registry import READY
from tests.conftest import ROOT
from tests.until import until
from workers.storage.catalog import Point
from workers.storage.embedded.catalog import EdgeCatalog

SECONDS = 120
# The null model: what is tested here is who gets which file, and that needs no torch.
MODELS = {"DARKROOM__MODELS__CLIP": "null:5", "DARKROOM__MODELS__CAPTIONS": "false"}


class Machines:
    """Processes of one cluster; what each writes goes to NAME.log in `folder`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.client = redis.Redis.from_url(url)
        self._url = url
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a process of this cluster."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
        return {**env, **MODELS, "DARKROOM__BROKER__URL": self._url, "PYTHONPATH": str(ROOT), **more}

    def start(self, name: str, *command: str, module: str = "workers", **env: str) -> None:
        """Start a worker with a data directory of its own; it consumes when this returns."""
        data = {"DARKROOM__DATA__DIR": str(self.folder / name), "DARKROOM_WORKER": name}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, *command], cwd=ROOT, env=self.env(**data, **env), stdout=log, stderr=log
            )
        until(lambda: self.client.hget(READY, name) == str(process.pid).encode(), f"worker {name} to be ready")

    def gpu(self, name: str, *options: str, module: str = "workers", **env: str) -> None:
        """Start a GPU worker."""
        self.start(name, "gpu", *options, "--one", name, module=module, **env)

    def storage(self, name: str = "storage", module: str = "workers", **env: str) -> None:
        """Start a storage worker on a collection of its own."""
        self.start(name, "storage", "--one", module=module, **env)

    def stop(self, name: str) -> None:
        """Let a worker finish what it holds."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, self.log(name)

    def kill(self, name: str) -> None:
        """Kill a worker in the middle of its work."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def producer(self, *arguments: str, module: str = "producer", **env: str) -> "subprocess.Popen[str]":
        """Start a command that asks Redis only, as on a machine without any worker."""
        own = {"DARKROOM__DATA__DIR": str(self.folder / "producer"), "DARKROOM__QDRANT__URL": "http://127.0.0.1:9"}
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--json"],
            cwd=ROOT,
            env=self.env(**own, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *arguments: str, **env: str) -> dict[str, Any]:
        """Run a command to its end; its one object."""
        return ended(self.producer(*arguments, **env))

    def points(self, name: str = "storage") -> list[Point]:
        """Everything that a storage worker has stored; it must have ended."""
        catalog = EdgeCatalog(self.folder / name / "catalog", "pictures")
        points, after = catalog.scroll(None, 10_000)
        catalog.close()
        assert after is None
        return points

    def log(self, name: str) -> str:
        """What a worker wrote so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Kill what still lives."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self.client.close()


def ended(producer: "subprocess.Popen[str]") -> dict[str, Any]:
    """The one object that a command printed, and its exit code."""
    try:
        out, err = producer.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        producer.kill()
        raise
    assert out.count("\n") == 1, out + err
    found: dict[str, Any] = json.loads(out)
    return {**found, "exit": producer.returncode}


@contextmanager
def machines_on(url: str, folder: Path) -> Iterator[Machines]:
    """Machines that end with the block."""
    machines = Machines(url, folder)
    try:
        yield machines
    finally:
        machines.end()
