"""The real supervisor and the real Redis around tiny children, as a process that tests can kill."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import redis

import workers.supervisor.supervisor
from settings import load_settings
from tasks.queues import QUERIES
from tasks.registry import ready, stack_key
from tasks.stack.locks import read_note
from tasks.stack.paths import StackPaths, stack_paths
from tests.until import until
from workers.supervisor.processes import ChildSpec
from workers.supervisor.redis_server import redis_spec
from workers.supervisor.stack import LocalStack, StackSpec


def tiny(name: str, local: StackPaths) -> ChildSpec:
    """A tiny child; it fails while the file `<name>.fails` is in the data directory."""
    argv = (sys.executable, "-m", "tests.workers.supervisor.tiny_child", name, str(local.socket))
    return ChildSpec(name, argv, env={"FAIL": str(local.data / f"{name}.fails")})


class StackProcess:
    """A stack of tiny children in its own process."""

    def __init__(self, local: StackPaths, mode: str) -> None:
        self.local = local
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.supervisor.tiny_stack", mode], stderr=subprocess.PIPE, text=True
        )
        self.redis = redis.Redis(unix_socket_path=str(local.socket))

    def pid_of(self, name: str) -> int | None:
        """The process id of a child, once it runs."""
        note = read_note(self.local.pids / f"{name}.pid")
        return int(note) if note else None

    def pids(self) -> list[int]:
        """The process ids of all children that run."""
        found = [self.pid_of(file.stem) for file in self.local.pids.glob("*.pid")]
        return [pid for pid in found if pid]

    def ready(self) -> dict[str, int]:
        """The process ids of the children of this very stack that announced themselves."""
        try:
            signed_in = self.redis.get(stack_key(self.local.runtime.name)) == str(self.process.pid).encode()
            return ready(self.redis) if signed_in else {}
        except redis.RedisError:
            return {}

    def wait_ready(self, name: str, but_not: int | None = None) -> int:
        """Wait until a child has announced itself, under another process id than `but_not`."""

        def pid() -> int | None:
            found = self.ready().get(name)
            return found if found != but_not else None

        return until(pid, f"{name} to be ready")

    def wait_up(self) -> None:
        """Wait until it has signed in at its Redis."""

        def signed_in() -> bool:
            try:
                return self.redis.get(stack_key(self.local.runtime.name)) == str(self.process.pid).encode()
            except redis.RedisError:
                return False

        until(signed_in, "the stack to sign in")

    def ask_storage(self) -> int:
        """Let a question wait for the storage worker, and wait until that is there."""
        self.wait_up()
        self.redis.lpush(QUERIES, b"question")
        pid = self.wait_ready("storage")
        self.redis.delete(QUERIES)
        return pid

    def end(self) -> tuple[int, str]:
        """Stop it if it runs; returns its exit code and what it said."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@contextmanager
def tiny_stack(local: StackPaths, mode: str = "kept") -> Iterator[StackProcess]:
    """A stack that is "kept" up or stays "while-used"; a "patient" one is kept up, and its end waits for ever."""
    stack = StackProcess(local, mode)
    try:
        yield stack
    finally:
        if stack.process.poll() is None:
            stack.end()
        stack.redis.close()


def main(mode: str) -> None:
    """Be the supervisor."""
    settings = load_settings()
    local = stack_paths(settings)
    spec = StackSpec(redis_spec(local), tiny("storage", local), [tiny("gpu0", local)])
    if mode == "patient":
        workers.supervisor.supervisor.GRACE_SECONDS = 3600.0
    LocalStack(settings, local, spec, stays=mode != "while-used").run()


if __name__ == "__main__":
    main(sys.argv[1])
