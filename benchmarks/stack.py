"""A stack of its own for a benchmark, kept up, with one warm GPU worker."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Bench:
    """Runs producer commands against one stack."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def run(self, *arguments: str) -> dict[str, Any]:
        """A producer command with --json; raises CalledProcessError when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "producer", *arguments, "--json"],
            cwd=ROOT,
            env=self.env,
            check=True,
            capture_output=True,
            text=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def kept_up(scratch: Path, **settings: str) -> Iterator[Bench]:
    """Keep a stack up on `scratch` with these settings (DARKROOM__ names without the prefix)."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
    env |= {"DARKROOM__DATA__DIR": str(scratch / "data"), "DARKROOM__FLOWER__PORT": "5599"}
    env |= {f"DARKROOM__{name}": value for name, value in settings.items()}
    stack = subprocess.Popen(
        [sys.executable, "-m", "workers", "up"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Bench(env)
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(60)
