"""The processes of a small cluster: Redis, storage worker and producer on one host, a GPU worker on each other."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from tasks.registry import WORKERS
from tests.cluster.network import Network
from tests.conftest import ROOT, redis_server

HUB = "hub"
# Short, so that the files of a host that is cut off come back soon.
LEASE_SECONDS = 4
START_SECONDS = 60.0
STOP_SECONDS = 2.0


class Cluster:
    """Real commands on the hosts of a network; the GPU workers run a null model that takes its time."""

    def __init__(self, network: Network, workers: list[str], scratch: Path, milliseconds: int) -> None:
        self.network = network
        self._scratch = scratch
        self._workers = workers
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._settings = {
            "BROKER__URL": f"redis://{network.addresses[HUB]}:6379/0",
            "BROKER__VISIBILITY_TIMEOUT": str(LEASE_SECONDS),
            "MODELS__CLIP": f"null:{milliseconds}",
            "MODELS__CAPTIONS": "false",
            "GPU__IN_FLIGHT": "16",
            "INGEST__WINDOW": "100",
        }

    def __enter__(self) -> "Cluster":
        try:
            self._start(HUB, "redis", [redis_server(), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""])
            self._wait(lambda: self.redis("PING") == "PONG", "Redis")
            self._start(HUB, "storage", self._python("workers", "storage"))
            for worker in self._workers:
                self._start(worker, worker, self._python("workers", "gpu", "--devices", "cpu"))
            for worker in self._workers:
                self._wait(partial(self._is_ready, worker), f"the worker on {worker}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything; what waits for a host that was cut off is killed, and its children with it."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start_ingest(self, folder: Path) -> "subprocess.Popen[str]":
        """Start an ingest on the hub; it knows the storage worker only through Redis, as on any cluster."""
        return subprocess.Popen(
            [*self.network.on(HUB), *self._python("producer", "ingest", str(folder), "--json")],
            cwd=ROOT,
            env=self._env(HUB, QDRANT__URL="http://elsewhere.invalid:6333"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stored(self, job: str) -> int:
        """How many files of a job are stored by now."""
        return int(self.redis("BITCOUNT", f"darkroom:job:{job}:stored") or 0)

    def newest_job(self) -> str:
        """The name of the job that began last, or an empty text."""
        return self.redis("ZREVRANGE", "darkroom:jobs", "0", "0")

    def redis(self, *command: str) -> str:
        """A Redis command on the hub; an empty text where Redis does not answer."""
        cli = Path(redis_server()).with_name("redis-cli")
        program = str(cli) if cli.exists() else "redis-cli"
        done = subprocess.run(
            [*self.network.on(HUB), program, *command], capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout.strip()

    def forget(self, host: str) -> None:
        """Let Redis drop its connections to a host that is cut off and cannot hear it, as when Redis starts anew."""
        for line in self.redis("CLIENT", "LIST").splitlines():
            address = dict(part.split("=", 1) for part in line.split() if "=" in part)["addr"]
            if address.startswith(f"{self.network.addresses[host]}:"):
                self.redis("CLIENT", "KILL", "ADDR", address)

    def logs(self) -> str:
        """The last lines of every log, for the report of a failure."""
        logs = sorted(self._scratch.glob("*.log")) + sorted(self._scratch.glob("*/logs/*.log"))
        return "\n".join(f"--- {log}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)

    def _start(self, host: str, name: str, command: list[str]) -> None:
        folder = self._scratch / host
        folder.mkdir(exist_ok=True)
        with (self._scratch / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [*self.network.on(host), *command],
                cwd=ROOT if command[0] == sys.executable else folder,
                env=self._env(host),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _env(self, host: str, **settings: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
        named = {"DATA__DIR": str(self._scratch / host), **self._settings, **settings}
        return {**env, "PYTHONPATH": str(ROOT), **{f"DARKROOM__{name}": value for name, value in named.items()}}

    def _is_ready(self, worker: str) -> bool:
        return '"ready": true' in self.redis("HGET", WORKERS, f"gpu0@{worker}")

    def _wait(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} is not up after {START_SECONDS:g} s\n{self.logs()}")
            time.sleep(0.05)

    @staticmethod
    def _python(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]


def result_of(ingest: "subprocess.Popen[str]", seconds: float) -> dict[str, Any]:
    """The object that an ingest prints; raises RuntimeError with what it said when it printed none."""
    try:
        out, err = ingest.communicate(timeout=seconds)
    finally:
        if ingest.poll() is None:
            ingest.kill()
    if not out.strip():
        raise RuntimeError(f"ingest ended with exit code {ingest.returncode}: {err}")
    found: dict[str, Any] = json.loads(out)
    return found
