"""Workers as several machines would have them: one Redis, storage and GPU workers by name, producers beside them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import redis
from PIL import Image

from tasks.registry import living, ready
from tests.conftest import ROOT
from tests.until import until
from workers.storage.catalog import Point
from workers.storage.embedded.catalog import EdgeCatalog

SECONDS = 120
# The null model: what is tested here is who gets which file, and that needs no torch.
MODELS = {"DARKROOM__MODELS__CLIP": "null:5", "DARKROOM__MODELS__CAPTIONS": "false"}


class Machines:
    """Processes of one cluster; what each writes goes to NAME.log in `folder`."""

    def __init__(self, url: str, folder: Path, shared: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.client = redis.Redis.from_url(url)
        self._url = url
        # Settings that all of them have.
        self._shared = dict(shared or {})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a process of this cluster."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
        return {**env, **MODELS, "DARKROOM__BROKER__URL": self._url, "PYTHONPATH": str(ROOT), **self._shared, **more}

    def start(self, name: str, *command: str, module: str = "workers", **env: str) -> None:
        """Start a worker with a data directory of its own; it consumes when this returns."""
        process = self._processes[name] = self._spawn(name, ["-m", module, *command], env)
        until(lambda: self._is_ready(name, process.pid), f"worker {name} to be ready")

    def _is_ready(self, name: str, pid: int) -> bool:
        """True once a worker has said so under its own collection and release."""
        now = self.client.time()
        keys = self.client.scan_iter("darkroom.v*:workers")
        entries = [cast(dict[bytes, bytes], self.client.hgetall(key)) for key in keys]
        there = [worker for found in entries for worker in living(found, now).values()]
        return any(worker.ready and (worker.name, worker.pid) == (name, pid) for worker in there)

    def gpu(self, name: str, *options: str, module: str = "workers", **env: str) -> None:
        """Start a GPU worker."""
        self.start(name, "gpu", *options, "--one", name, module=module, **env)

    def storage(self, name: str = "storage", module: str = "workers", **env: str) -> None:
        """Start a storage worker on a collection of its own."""
        self.start(name, "storage", "--one", module=module, **env)

    def attempt(self, name: str, *command: str, **env: str) -> int:
        """Start a worker that is expected to be refused; its exit code, or that of a killed one when it goes on."""
        process = self._spawn(name, ["-m", "workers", *command], env)
        try:
            return process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    @contextmanager
    def other(self, name: str, *arguments: str, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Another Python program beside the workers, killed with the block."""
        process = self._spawn(name, list(arguments), env)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def pause(self, name: str) -> None:
        """Stop a worker as a suspended machine does: it does nothing, and nobody is told."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused worker go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def dead(self) -> list[str]:
        """The workers that have ended though nobody stopped them."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def stop(self, name: str) -> None:
        """Let a worker finish what it holds."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, self.log(name)

    def kill(self, name: str) -> None:
        """End a worker as a power cut would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def wait(self, name: str) -> int:
        """Wait until a worker ends by itself; its exit code."""
        return self._processes.pop(name).wait(SECONDS)

    def ready(self) -> dict[str, int]:
        """Name -> process id, for the workers that are ready."""
        return ready(self.client)

    def producer(self, *arguments: str, module: str = "producer", **env: str) -> "subprocess.Popen[str]":
        """Start a command that asks Redis only, as on a machine without any worker."""
        own = {"DARKROOM__DATA__DIR": str(self.folder / "producer"), "DARKROOM__QDRANT__URL": "http://127.0.0.1:9"}
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--json"],
            cwd=ROOT,
            env=self.env(**{**own, **env}),
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
        points, after = catalog.scroll(None, 10_000, with_vectors=True)
        catalog.close()
        assert after is None
        return points

    def log(self, name: str) -> str:
        """What a worker wrote so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _spawn(self, name: str, arguments: list[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        data = {"DARKROOM__DATA__DIR": str(self.folder / name), "DARKROOM_WORKER": name}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.env(**data, **env), stdout=log, stderr=log
            )

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


def pictures(folder: Path, count: int, seed: int) -> None:
    """Small pictures of noise, all different."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    for number in range(count):
        Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number:04d}.png")


@contextmanager
def machines_on(url: str, folder: Path, shared: Mapping[str, str] | None = None) -> Iterator[Machines]:
    """Machines that end with the block; `shared` are settings that all of them have."""
    machines = Machines(url, folder, shared)
    try:
        yield machines
    finally:
        machines.end()
