"""Hours of everything at once: two producers, watch, web, kills; and nothing grows. `make soak MINUTES=60`.

Memory, file descriptors, keys in Redis and the catalog's bytes on the disk are sampled and must be flat. The records of
ended jobs are kept for a month, and what a question leaves for ten minutes, so these keys are left out; logs are cut at
a size, so they must stay below it.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import redis
from qdrant_client import QdrantClient

from tasks.queues import FILES
from tasks.recoveries import recoveries
from tasks.stack.paths import MAX_LOG_BYTES
from tests.conftest import redis_server
from tests.e2e.conftest import free_port
from tests.e2e.several_machines import Machines, ended, machines_on, pictures
from tests.proof.samples import Samples
from tests.until import until
from tests.workers.storage.pictures import DIM, MODEL
from tests.workers.storage.server.moody_server import MoodyServer
from tests.workers.storage.writing import writing_to
from workers.storage.server.connection import Connection

FILES_OF_A_JOB = 40
KILL_SECONDS = 20.0
BLIND = "second"
VICTIMS = ("gpu0@soak", "gpu1@soak", "storage")
# A Redis that others use restarts leases soon, as in the chaos rounds.
SHARED = {"DARKROOM__BROKER__VISIBILITY_TIMEOUT": "6", "DARKROOM__INGEST__WINDOW": "16"}


@dataclass
class Soak:
    """What a soak has done and seen."""

    jobs: int = 0
    files: int = 0
    kills: int = 0
    recoveries: Counter[str] = field(default_factory=Counter)
    samples: Samples = field(default_factory=Samples)
    wrong: list[str] = field(default_factory=list)


def soak(folder: Path, minutes: float, seed: int) -> Soak:
    """Run everything for so long; `folder` takes the pictures, the data and the logs."""
    folder.mkdir(parents=True)
    done, rng = Soak(), random.Random(seed)
    short = Path(tempfile.mkdtemp(prefix="soak-"))
    socket = short / "redis.sock"
    server = subprocess.Popen(
        [redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(short)],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(socket.exists, "Redis to start")
        with machines_on(f"unix://{socket}", folder, SHARED) as machines:
            _run(machines, server.pid, folder, 60 * minutes, rng, done)
            _store_away(machines.client)
            done.recoveries.update(recoveries(machines.client))
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(short)
    done.wrong += done.samples.grown()
    return done


def _run(machines: Machines, redis_pid: int, folder: Path, seconds: float, rng: random.Random, done: Soak) -> None:
    (folder / "mount").mkdir()
    _start(machines, "storage")
    for name in VICTIMS[:2]:
        _start(machines, name)
    begin, killed, number = time.monotonic(), time.monotonic(), 0
    port = free_port()
    watched = folder / "watched"
    pictures(watched, 3, seed=0)
    with (
        machines.other("web", "-m", "web", "--port", str(port)) as web,
        machines.other("watch", "-m", "producer", "watch", str(watched)) as watch,
    ):
        while time.monotonic() - begin < seconds:
            number += 1
            jobs = [(folder / f"job-{number}", 2 * number), (folder / BLIND / f"job-{number}", 2 * number + 1)]
            for where, seed in jobs:
                pictures(where, FILES_OF_A_JOB, seed)
            running = [machines.producer("ingest", str(where)) for where, _ in jobs]
            _mishap(machines, folder, number)
            while any(process.poll() is None for process in running):
                if time.monotonic() - killed > KILL_SECONDS:
                    killed = time.monotonic()
                    _kill(machines, rng.choice(VICTIMS))
                    done.kills += 1
                _look(port, watched, number)
                time.sleep(0.5)
            for process, (where, _) in zip(running, jobs, strict=True):
                told = ended(process)
                done.jobs, done.files = done.jobs + 1, done.files + told["stored"]
                if (told["stored"], told["failed"], told["exit"]) != (FILES_OF_A_JOB, 0, 0):
                    done.wrong.append(f"job {number}: {told}")
                machines.json("forget", str(where))
                shutil.rmtree(where)
            here = {"web": web.pid, "watch": watch.pid, "redis": redis_pid}
            done.samples.take((time.monotonic() - begin) / seconds, machines, here)
        for beside in (web, watch):
            if beside.poll() is not None:
                done.wrong.append("the web server or the watch has ended")
    done.wrong += [f"{log} is long" for log in folder.glob("*.log") if log.stat().st_size > 1.1 * MAX_LOG_BYTES]


def _start(machines: Machines, name: str) -> None:
    if name == "storage":
        machines.storage()
        return
    # gpu1 does not see the disk of the second producer, whose files so go to gpu0.
    blind = {str(machines.folder / BLIND): str(machines.folder / "mount")} if name == "gpu1@soak" else {}
    machines.gpu(name, DARKROOM__PATHS__MAP=json.dumps(blind))


def _kill(machines: Machines, name: str) -> None:
    machines.kill(name)
    _start(machines, name)


def _mishap(machines: Machines, folder: Path, number: int) -> None:
    """Something rare, another one each time."""
    which = number % 4
    if which == 0:
        machines.client.lpush(FILES, b"\xff no message")
    elif which == 1 and machines.attempt("second", "storage", "--one") == 0:
        raise AssertionError("a second catalog became the owner")
    elif which == 2:
        machines.stop("gpu1@soak")  # it hands back what it holds
        _start(machines, "gpu1@soak")


def _store_away(client: redis.Redis) -> None:
    """A Qdrant server is away for a moment, which the embedded catalog never is."""
    with MoodyServer(DIM, MODEL) as server, pytest.MonkeyPatch.context() as patch:
        over_http = QdrantClient(url=server.url, timeout=1, check_compatibility=False)
        with writing_to(Connection(server.url, over_http), client, patch) as writing:
            server.mood = 503
            thread = writing.start()
            until(lambda: recoveries(client)["store_retried"], "the batch to wait")
            server.mood = 200
            thread.join(60)


def _look(port: int, watched: Path, number: int) -> None:
    """What people do meanwhile: they look at pages, and save pictures."""
    (watched / f"{number % 5}.png").write_bytes((watched / "0000.png").read_bytes() + bytes(number % 7))
    for page in ("/", "/api/v1/jobs", "/api/v1/collection", "/api/v1/search?q=red+circle"):
        try:
            httpx.get(f"http://127.0.0.1:{port}{page}", timeout=30)
        except httpx.HTTPError:
            time.sleep(0.1)  # it starts


def main() -> int:
    """Exit code 0 when nothing was lost and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="darkroom-soak-")) / "soak"
    done = soak(folder, options.minutes, options.seed)
    print("| figure | after the warm-up | at the end |\n|---|---|---|")
    for name, (early, late) in done.samples.growth().items():
        print(f"| {name} | {early:,.0f} | {late:,.0f} |")
    print(*done.wrong, sep="\n")
    if not done.wrong:
        shutil.rmtree(folder.parent)
    counts = {"minutes": options.minutes, "jobs": done.jobs, "files": done.files, "kills": done.kills}
    print(json.dumps({**counts, "recoveries": dict(done.recoveries), "wrong": len(done.wrong)}))
    return 1 if done.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
