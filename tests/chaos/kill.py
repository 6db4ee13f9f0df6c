"""SIGKILL for one process of a running ingest, at a moment that a seed decides."""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass

import psutil
import redis

from tasks.ledger import Ledger, jobs
from tasks.stack.locks import is_held, read_note
from tasks.stack.paths import StackPaths

VICTIMS = ("gpu0", "storage", "redis", "producer", "supervisor")
LATEST_SHARE = 0.9


@dataclass(frozen=True)
class Kill:
    """Who is killed, and when: once `share` of the files is finished, and `pause` seconds later.

    A share of 0 is counted from the moment that Redis is up: while models load, files are planned or the first stored.
    """

    victim: str
    share: float
    pause: float

    def __str__(self) -> str:
        return f"{self.share:.0%} + {self.pause:.2f} s"


def draw_kill(rng: random.Random, victim: str) -> Kill:
    """A moment anywhere in the run; one in four falls before the first stored file."""
    if rng.random() < 0.25:
        return Kill(victim, 0.0, rng.uniform(0.0, 6.0))
    return Kill(victim, rng.uniform(0.01, LATEST_SHARE), rng.uniform(0.0, 0.1))


def carry_out(kill: Kill, local: StackPaths, files: int, producer: "subprocess.Popen[str]") -> bool:
    """Wait for the moment and kill; False when the ingest has ended before."""
    client = redis.Redis(unix_socket_path=str(local.socket), socket_timeout=5)
    while _share_finished(client, files) < kill.share or not local.socket.exists():
        if producer.poll() is not None:
            return False
        time.sleep(0.005)
    client.close()
    time.sleep(kill.pause)
    while producer.poll() is None:
        pid = producer.pid if kill.victim == "producer" else _pid(local, kill.victim)
        if pid:
            os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(0.01)
    return False


def end_all(local: StackPaths, producer: "subprocess.Popen[str]") -> None:
    """End what is left of a round that hangs; its supervisor's children die with it."""
    producer.kill()
    for victim in VICTIMS:
        pid = _pid(local, victim) if victim != "producer" else None
        if pid and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def _pid(local: StackPaths, victim: str) -> int | None:
    # Read only while it is locked: then the process that the number names is the one that holds the lock.
    file = local.stack_lock if victim == "supervisor" else local.pids / f"{victim}.pid"
    pid = read_note(file)
    return int(pid) if pid.isdigit() and is_held(file) else None


def _share_finished(client: redis.Redis, files: int) -> float:
    try:
        return max((Ledger(client, job).counts().finished / files for job in jobs(client, 3)), default=0.0)
    except redis.RedisError:
        return 0.0
