"""Real commands in processes of their own: the CLI, the stack, and a look into the catalog once the stack is down."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from workers.storage.catalog import Point
from workers.storage.embedded.catalog import EdgeCatalog

SECONDS = 180


@dataclass
class Home:
    """A data directory of its own, the environment that names it, and the commands that use it."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a command: this home's settings and the shipped checkpoints."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
        return {
            **env,
            "DARKROOM__DATA__DIR": str(self.data),
            "DARKROOM__STACK__LINGER_SECONDS": "0",
            # What `up` starts beside the stack is for the tests of the gallery alone.
            "DARKROOM__WEB__UP": "false",
            # One job an ingest, unless a test is about the two.
            "DARKROOM__INGEST__CAPTIONS": "now",
            "DARKROOM__MODELS__CLIP": str(ROOT / "models" / "shapes-clip"),
            "DARKROOM__MODELS__BLIP": str(ROOT / "models" / "shapes-blip"),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            **self.settings,
            **more,
        }

    def start(self, *arguments: str, module: str = "producer", **env: str) -> "subprocess.Popen[str]":
        """Start a command and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.env(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, module: str = "producer", **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        process = self.start(*arguments, module=module, **env)
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, **env: str) -> dict[str, Any]:
        """Run a command with --json; its one object."""
        done = self.run(*arguments, "--json", **env)
        assert done.stdout.count("\n") == 1, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "exit": done.returncode}

    def points(self, collection: str = "pictures") -> dict[str, Point]:
        """Everything in the catalog by file name, read from disk once the stack is down."""
        wait_until(lambda: not (self.data / "stack.lock").exists())
        catalog = EdgeCatalog(self.data / "catalog", collection)
        found: dict[str, Point] = {}
        after: str | None = None
        while True:
            page, after = catalog.scroll(None, 500, after, with_vectors=True)
            for point in page:
                assert point.payload["uri"] not in found
                found[point.payload["uri"]] = point
            if after is None:
                break
        catalog.close()
        return found

    def log(self, name: str) -> str:
        """What a child of the stack wrote."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to become true; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home whose stack comes and goes with each command."""
    return Home(tmp_path / "data")


@pytest.fixture
def lingering_home(home: Home) -> Iterator[Home]:
    """A fresh home whose stack waits for the next command, and is taken down at the end."""
    home.settings["DARKROOM__STACK__LINGER_SECONDS"] = "120"
    yield home
    home.run("down", module="workers")
