"""What a shared world does to a job: wrong clocks, a worker that stops for a while, other people's Redis, a full one.

Each scene plays in processes of its own on a Redis of its own, and ends in a `Verdict`.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.cluster.album import Verdict, judge, noise_album
from tests.cluster.stranger import ENDED, PAID
from tests.conftest import ROOT, redis_server
from tests.e2e.several_machines import Machines, ended, machines_on
from tests.until import until

HOOKS = Path(__file__).parent / "hooks"
# Seconds. Short, so that what a worker does not renew comes back soon, and what is renewed is so many times over.
LEASE = 4
SLOW = {"DARKROOM__MODELS__CLIP": "null:20"}
CLOCK_OFF = 120
SERVICE_MISSING = 3


@dataclass(frozen=True)
class Stage:
    """What a scene plays on: machines without any worker yet, a folder for pictures, the number of files."""

    machines: Machines
    folder: Path
    files: int
    # How long a fault lasts, beyond what it takes for it to be noticed.
    seconds: float


@contextmanager
def stage(folder: Path, files: int, seconds: float) -> Iterator[Stage]:
    """A stage with a Redis of its own; everything on it ends with the block."""
    folder.mkdir()
    socket = folder / "redis.sock"
    server = subprocess.Popen(
        [redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"unix://{socket}"
        with redis.Redis.from_url(url) as client:
            until(lambda: _answers(client), "Redis to answer")
        shared = {"DARKROOM__BROKER__VISIBILITY_TIMEOUT": str(LEASE), "DARKROOM__INGEST__WINDOW": "100"}
        with machines_on(url, folder, shared) as machines:
            yield Stage(machines, folder, files, seconds)
    finally:
        server.terminate()
        server.wait()


def skewed_clocks(on: Stage) -> Verdict:
    """One worker is two minutes slow, another two minutes fast: no file is embedded twice."""
    album = noise_album(on.folder / "pictures", on.files)
    # Shorter than the clocks are wrong, and longer than a machine stands still.
    lease = {"DARKROOM__BROKER__VISIBILITY_TIMEOUT": str(CLOCK_OFF // 2)}
    on.machines.storage(**lease)
    for name, seconds in (("gpu0@slow", -CLOCK_OFF), ("gpu0@fast", CLOCK_OFF)):
        on.machines.gpu(name, **SLOW, **lease, PYTHONPATH=f"{HOOKS}:{ROOT}", SECONDS_OFF=str(seconds))
    done = on.machines.json("ingest", str(album.folder), **lease)
    on.machines.stop("storage")
    return judge(album, on.machines.points(), done["failed"], {"embedded_twice": done["reused"]})


def paused_worker(on: Stage) -> Verdict:
    """The only worker that sees the disk stops for a while, beside one that does not see it: no file fails for it."""
    album = noise_album(on.folder / "pictures", on.files)
    unmounted = on.folder / "mount point"
    unmounted.mkdir()
    on.machines.storage()
    on.machines.gpu("gpu0@seeing", **SLOW)
    on.machines.gpu("gpu0@blind", **SLOW, DARKROOM__PATHS__MAP=f'{{"{album.folder}": "{unmounted}"}}')
    ingest = on.machines.producer("ingest", str(album.folder))
    _wait_for_stored(on, on.files // 5)
    on.machines.pause("gpu0@seeing")
    time.sleep(on.seconds)
    on.machines.resume("gpu0@seeing")
    done = ended(ingest)
    on.machines.stop("storage")
    return judge(album, on.machines.points(), done["failed"])


def stranger(on: Stage) -> Verdict:
    """A Celery application that is not ours works on the same database: neither side notices the other."""
    album = noise_album(on.folder / "pictures", on.files)
    socket = on.folder / "redis.sock"
    on.machines.storage()
    on.machines.gpu("gpu0@ours", **SLOW)
    with on.machines.other(
        "stranger",
        "-m",
        "celery",
        "-A",
        "tests.cluster.stranger",
        "worker",
        "-P",
        "threads",
        "-n",
        "stranger@elsewhere",
        STRANGERS_REDIS=str(socket),
    ) as its_worker:
        subprocess.run(
            [sys.executable, "-c", f"from tests.cluster.stranger import pay; pay.delay({3 * LEASE + on.seconds})"],
            cwd=ROOT,
            env=on.machines.env(STRANGERS_REDIS=str(socket)),
            check=True,
            timeout=60,
        )
        client = on.machines.client
        until(lambda: client.get(PAID), "the stranger to begin")
        done = on.machines.json("ingest", str(album.folder))
        until(lambda: client.get(ENDED), "the stranger to end")
        # A message of its that was handed out again would wait in its queue by now, or be worked on.
        paid_twice = client.incr(PAID, 0) - 1 + client.llen("celery")
        died = int(its_worker.poll() is not None)
    on.machines.stop("storage")
    also = {"strangers_task_again": paid_twice, "strangers_worker_died": died}
    return judge(album, on.machines.points(), done["failed"], also)


def second_owner(on: Stage) -> Verdict:
    """A second machine with an embedded catalog comes to the same Redis: it is refused, and nothing is split."""
    album = noise_album(on.folder / "pictures", on.files)
    on.machines.storage("storage@first")
    on.machines.gpu("gpu0@first", **SLOW)
    ingest = on.machines.producer("ingest", str(album.folder))
    _wait_for_stored(on, on.files // 5)
    refused = on.machines.attempt("storage@second", "storage", "--one")
    done = ended(ingest)
    on.machines.stop("storage@first")
    second = on.machines.folder / "storage@second"
    points = on.machines.points("storage@first")
    if (second / "catalog").exists():
        points += on.machines.points("storage@second")
    sentence = "storage@first" in on.machines.log("storage@second")
    also = {"not_refused": int(refused != SERVICE_MISSING), "owner_not_named": int(not sentence)}
    return judge(album, points, done["failed"], also)


def full_redis(on: Stage) -> Verdict:
    """Redis has no room any more in the middle of a job and gets some again: nobody dies, nothing is lost."""
    album = noise_album(on.folder / "pictures", on.files)
    on.machines.storage()
    on.machines.gpu("gpu0@one", **SLOW)
    on.machines.gpu("gpu0@two", **SLOW)
    ingest = on.machines.producer("ingest", str(album.folder))
    _wait_for_stored(on, on.files // 5)
    client = on.machines.client
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1mb")
    until(lambda: "errorstat_OOM" in client.info("errorstats"), "Redis to refuse a write")
    time.sleep(on.seconds)
    client.config_set("maxmemory", "0")
    done = ended(ingest)
    died = len(on.machines.dead())
    on.machines.stop("storage")
    return judge(album, on.machines.points(), done["failed"], {"workers_died": died})


SCENES: dict[str, Callable[[Stage], Verdict]] = {
    "skewed_clocks": skewed_clocks,
    "paused_worker": paused_worker,
    "stranger": stranger,
    "second_owner": second_owner,
    "full_redis": full_redis,
}


def play(name: str, folder: Path, files: int, seconds: float) -> Verdict:
    """Play one scene of SCENES in `folder`, which must not exist yet."""
    with stage(folder, files, seconds) as own:
        try:
            return SCENES[name](own)
        except Exception as error:  # raised again, with the logs
            error.add_note(
                "\n".join(
                    f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}"
                    for log in sorted(own.machines.folder.glob("*.log"))
                )
            )
            raise


def _wait_for_stored(on: Stage, count: int) -> None:
    client: Any = on.machines.client

    def stored() -> bool:
        jobs = client.zrevrange("darkroom:jobs", 0, 0)
        return bool(jobs) and client.bitcount(f"darkroom:job:{jobs[0].decode()}:stored") >= count

    until(stored, f"{count} stored files")


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
