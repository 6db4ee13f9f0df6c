"""A stack of its own for a benchmark, kept up, with warm workers; it goes down with the benchmark whatever happens."""

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.figures.precisions import kept_fidelity, told
from settings import Settings
from settings.sections import Data
from tasks.queues import FILES
from tasks.registry import ready
from tasks.stack.paths import StackPaths, stack_paths
from workers.supervisor.redis_server import redis_spec

ROOT = Path(__file__).resolve().parent.parent
# Opening a million points takes half a minute, on a busy machine several.
START_SECONDS = 300.0
# The line of workers/gpu/worker.py with the model and its precision.
READY = re.compile(r"ready on .*: .* in (\S+), captions by ")
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Bench:
    """Runs producer commands and further workers against one stack."""

    def __init__(self, env: Mapping[str, str], supervisor: subprocess.Popen[bytes], root: Path = ROOT) -> None:
        self.env = dict(env)
        self.root = root
        self.supervisor = supervisor
        self.further: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """A producer command with --json; `settings` as in `kept_up`. Raises CalledProcessError when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "producer", *arguments, "--json"],
            cwd=self.root,
            env=self.env | _variables(settings),
            check=True,
            capture_output=True,
            text=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def python(self, module: str, *arguments: str) -> dict[str, Any]:
        """What a module of the benchmarks, run as a process of its own with the stack's settings, prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def add_gpu_worker(self, name: str) -> None:
        """Start one more GPU worker beside that of the stack, which is gpu0, and wait until it consumes."""
        self.further.append(
            subprocess.Popen(
                [sys.executable, "-m", "workers", "gpu", "--one", name],
                cwd=ROOT,
                env=self.env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=_end_with_me,
            )
        )
        self.wait_for_worker(name)

    def wait_for_worker(self, name: str) -> int:
        """The process id of a worker, once it has said that it consumes; raises TimeoutError."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                pid = ready(self.redis()).get(name)
            except redis.RedisError:
                pid = None
            if pid is not None:
                return pid
            time.sleep(0.05)
        raise TimeoutError(
            f"no worker {name} after {START_SECONDS:g} s: see the logs in {self.env['DARKROOM__DATA__DIR']}"
        )

    def points(self) -> int:
        """How many points the collection holds."""
        count: int = self.run("status")["collection"]["points"]
        return count

    def precision(self) -> str:
        """What the CLIP of the GPU worker computes in, as its log says when it is ready; "" where it does not."""
        paths = paths_of(self.env)
        logs = sorted(paths.logs.glob("gpu0*"))
        said = [found for log in logs for found in READY.findall(log.read_text(errors="replace"))]
        return told(said[-1], kept_fidelity(paths.precisions)) if said else ""

    def wait_until_busy(self) -> None:
        """Return when files wait for the GPU workers, who are then full; raises TimeoutError."""
        deadline = time.monotonic() + START_SECONDS
        while not self.redis().llen(FILES):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no file waits after {START_SECONDS:g} s")
            time.sleep(0.05)

    def redis(self) -> redis.Redis:
        """A client of the stack's private Redis."""
        return redis.Redis.from_url(f"unix://{paths_of(self.env).socket}")

    def children(self) -> dict[str, psutil.Process]:
        """The stack's processes by what they are: redis, storage, gpu0, flower."""
        found = {}
        for process in psutil.Process(self.supervisor.pid).children():
            words = " ".join(process.cmdline())
            for part, name in (
                ("redis-server", "redis"),
                (" storage ", "storage"),
                (" gpu ", "gpu0"),
                ("flower", "flower"),
            ):
                if part in words:
                    found[name] = process
        return found

    def further_workers(self) -> list[psutil.Process]:
        """The processes that `add_gpu_worker` started."""
        return [psutil.Process(process.pid) for process in self.further]

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time by now of each of the stack's processes, of loaders, and of the producers that have run."""
        children = self.children()
        spent = {name: sum(process.cpu_times()[:2]) for name, process in children.items()}
        if (worker := children.get("gpu0")) is not None and (loaders := worker.children()):
            spent["loaders"] = sum(sum(loader.cpu_times()[:2]) for loader in loaders)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent | {"producer": ended.ru_utime + ended.ru_stime}


def environment(scratch: Path, **settings: str) -> dict[str, str]:
    """The environment of a stack on `scratch` with these settings (DARKROOM__ names without the prefix)."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
    return env | {"DARKROOM__DATA__DIR": str(scratch / "data")} | _variables(settings)


def paths_of(env: Mapping[str, str]) -> StackPaths:
    """The files of the stack of an environment."""
    # Constructed, because reading the settings of this process would say where its own stack is.
    return stack_paths(Settings.model_construct(data=Data(dir=Path(env["DARKROOM__DATA__DIR"]))))


def kept_up(scratch: Path, **settings: str) -> AbstractContextManager[Bench]:
    """Keep a stack up on `scratch` with these settings (DARKROOM__ names without the prefix), its workers warm."""
    return kept_up_from(ROOT, scratch, settings)


@contextmanager
def kept_up_from(root: Path, scratch: Path, settings: Mapping[str, str]) -> Iterator[Bench]:
    """The same with the code of another checkout. A release before this one has no registry that tells when its
    workers are warm: its first command waits for them.
    """
    env = environment(scratch, **settings) | {"DARKROOM__FLOWER__PORT": str(free_port())}
    if root == ROOT:  # what a release before this one would not know
        env["DARKROOM__WEB__UP"] = "false"
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "workers", "up"],
        cwd=root,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_end_with_me,
    )
    bench = Bench(env, supervisor, root)
    try:
        if root == ROOT:
            bench.wait_for_worker("storage")
            bench.wait_for_worker("gpu0")
        yield bench
    finally:
        for process in (*bench.further, supervisor):
            process.send_signal(signal.SIGTERM)
        for process in (*bench.further, supervisor):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()  # its children die with it: the kernel sees to that
                process.wait()


@contextmanager
def private_redis(scratch: Path) -> Iterator[redis.Redis]:
    """A client of a Redis as the local stack runs it, with nobody else on it."""
    local = stack_paths(Settings.model_construct(data=Data(dir=scratch / "redis-alone")))
    local.create()
    spec = redis_spec(local)
    server = subprocess.Popen(spec.argv, env=os.environ | dict(spec.env), stdout=subprocess.DEVNULL)
    client = redis.Redis.from_url(f"unix://{local.socket}")
    try:
        deadline = time.monotonic() + START_SECONDS
        while not local.socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        client.ping()
        yield client
    finally:
        client.close()
        server.kill()
        server.wait()
        shutil.rmtree(local.runtime, ignore_errors=True)


def _end_with_me() -> None:
    # A benchmark that is killed must leave nothing behind; on Linux the kernel sees to it.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _variables(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"DARKROOM__{name}": value for name, value in settings.items()}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
