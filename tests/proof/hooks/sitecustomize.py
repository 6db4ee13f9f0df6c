"""Kills at given steps of processes: on PYTHONPATH, this is imported by every Python at its start.

STEPS is a JSON list. Each says of which process it is (`of`: producer, supervisor, gpu0, storage, ingest, web), the
number `at` of the step, from 1, and `done`: the file that is written when it happens, so that it happens once.

`kind` "command": the step is a command to Redis. `moment` is "before" the command is passed on, or "after" it, when
Redis has carried it out and nobody has read the answer. `kills` is "itself", "redis", or "redis and its last second":
then the append-only file is cut to what it was a second ago, as after a loss of power.
`kind` "write": the process dies in place of its call number `at` that writes or syncs a file, by strace.

Redis is a server on a socket of this machine, whose peer is that process.
"""

import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROLES = {"serve": "supervisor", "up": "supervisor", "gpu": "gpu0", "storage": "storage", "ingest": "ingest"}
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 0.05
# The calls that change files, or wait until the disk has them.
WRITES = "write,pwrite64,fsync,fdatasync,msync,ftruncate,rename,renameat,renameat2,unlink,unlinkat"


def role(words: list[str]) -> str:
    """What the process is, from the words of its command line; empty for anything else."""
    if "-m" not in words:
        return ""
    module, *rest = words[words.index("-m") + 1 :]
    if module in ("producer", "web"):
        return module
    return ROLES.get(rest[0], "") if module == "workers" and rest else ""


class AppendOnlyFile:
    """How long the log of a Redis was at each moment of the last seconds; it is found when it is there."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._sizes: list[tuple[float, dict[Path, int]]] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def cut(self) -> None:
        """Cut it to what it was a second ago; nobody may write to it."""
        before = [sizes for when, sizes in self._sizes if when < time.monotonic() - 1.0]
        for path in self._files():
            os.truncate(path, min(path.stat().st_size, before[-1].get(path, 0) if before else 0))

    def _files(self) -> list[Path]:
        return [path for path in self._data.rglob("*") if path.suffix == ".aof"]

    def _watch(self) -> None:
        while True:
            self._sizes.append((time.monotonic(), {path: path.stat().st_size for path in self._files()}))
            time.sleep(LOOK_SECONDS)


class Commands:
    """Counts the commands that every connection of redis-py sends, and kills at those that are asked for."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        from redis.connection import AbstractConnection
        from redis.exceptions import ConnectionError

        self._steps = {step["at"]: step for step in steps}
        self._lock, self._sent = threading.Lock(), 0
        lasting = any("last second" in step["kills"] for step in steps)
        self._log = AppendOnlyFile(Path(os.environ["DARKROOM__DATA__DIR"], "redis")) if lasting else None
        original = AbstractConnection.send_packed_command

        def send_packed_command(connection: Any, command: Any, check_health: bool = True) -> None:
            step = self._next()
            if step is None:
                original(connection, command, check_health)
                return
            if not connection._sock:
                connection.connect()
            if step["moment"] == "before":
                self._kill(step, connection, command)
            original(connection, command, check_health)
            if step["moment"] == "after":
                select.select([connection._sock], [], [], ANSWER_SECONDS)
                self._kill(step, connection, command)
                # The answer lies in the socket, and nobody is to read it.
                connection.disconnect()
                raise ConnectionError("Redis was killed")

        AbstractConnection.send_packed_command = send_packed_command  # type: ignore[method-assign]  # the hook

    def _next(self) -> dict[str, Any] | None:
        """The step that this command is; the process that is started in place of a dead one goes on."""
        with self._lock:
            self._sent += 1
            step = self._steps.get(self._sent)
            return step if step and not os.path.exists(step["done"]) else None

    def _kill(self, step: dict[str, Any], connection: Any, command: Any) -> None:
        Path(step["done"]).write_bytes(first_word(command))
        if step["kills"] == "itself":
            os.kill(os.getpid(), signal.SIGKILL)
        server = connection._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = struct.unpack("3i", server)[0]
        if self._log:
            os.kill(pid, signal.SIGSTOP)
            self._log.cut()
        os.kill(pid, signal.SIGKILL)


def first_word(command: Any) -> bytes:
    """The name of a packed command, its third line; of a pipeline that of the first."""
    packed = b"".join(command) if isinstance(command, list) else bytes(command)
    return packed.split(b"\r\n")[2] if packed.count(b"\r\n") > 2 else packed


def trace(step: dict[str, Any]) -> None:
    """Become the same process under strace, which keeps its id; the log of strace is the note that it has happened."""
    # The children of these two are processes of their own.
    threads = [] if step["of"] in ("producer", "supervisor", "web") else ["-f"]
    inject = f"--inject={WRITES}:signal=KILL:when={step['at']}"
    strace = ["strace", "-D", "-qq", "-y", "-o", step["done"], f"--trace={WRITES}", inject, *threads]
    os.execvp("strace", [*strace, sys.executable, *sys.orig_argv[1:]])


def install(steps: list[dict[str, Any]]) -> None:
    """Make ready for the steps of this process."""
    mine = [step for step in steps if step["of"] == role(sys.orig_argv)]
    for step in mine:
        if step["kind"] == "write" and not os.path.exists(step["done"]) and shutil.which("strace"):
            trace(step)
    if commands := [step for step in mine if step["kind"] == "command"]:
        Commands(commands)


if os.environ.get("STEPS"):
    install(json.loads(os.environ["STEPS"]))
