"""Child processes: what one is, how it starts so that it cannot outlive its supervisor unnoticed, how orphans end."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from settings.child_commands import child_environment
from settings.errors import ServiceMissing
from tasks.registry import WORKER
from tasks.stack.locks import FileLock, acquire, is_held, read_note
from tasks.stack.paths import StackPaths


@dataclass(frozen=True)
class ChildSpec:
    """One command to keep running.

    `env` is added to the environment of the supervisor. A child that `announces` itself writes its process id to
    `darkroom:ready` once it can work. `when_orphaned` is the signal that it gets if the supervisor is killed: workers
    are killed, because without their Redis they would wait for it for ever, and a killed worker loses nothing.
    `host` tells it from children of the same name on other machines.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    announces: bool = True
    when_orphaned: signal.Signals = signal.SIGKILL
    host: str = ""

    @property
    def full_name(self) -> str:
        """The name under which it announces itself: gpu0, or gpu0@host where several machines share one Redis."""
        return f"{self.name}@{self.host}" if self.host else self.name

    def on(self, host: str) -> "ChildSpec":
        """The same child on a machine of a cluster; it finds its full name in its environment."""
        return replace(self, host=host, env={**self.env, WORKER: f"{self.name}@{host}"})


PR_SET_PDEATHSIG = 1
# Looked up before any fork: between fork and exec a child should not load libraries.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(spec: ChildSpec, log: Path, lock_file: Path) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, with its output appended to `log`.

    The child itself holds the lock on `lock_file`, so the process id in that file belongs to it for as long as the lock
    is held. Raises ServiceMissing when the same child runs already or the command cannot be started.
    """
    lock = acquire(lock_file, wait=2.0)
    if lock is None:
        raise ServiceMissing(f"{spec.name} runs already as process {read_note(lock_file)}: stop it first.")
    with lock, log.open("ab") as output:
        try:
            process = subprocess.Popen(
                spec.argv,
                env={**child_environment(), **spec.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fd,),
                preexec_fn=end_with_parent(spec.when_orphaned),
            )
        except OSError as error:
            raise ServiceMissing(f"{spec.argv[0]} cannot be started for {spec.name}: {error.strerror}.") from error
        lock.write(str(process.pid))
        return process


def end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes its program, so that it gets this signal if its parent is killed.

    A parent that is killed cannot stop its children, so on Linux the kernel does. Other systems have nothing like it:
    there the next stack ends what it finds (`end_orphans`). The kernel goes by the thread that started the
    child, so that one must last as long as the child is wanted.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return before_exec


GRACE_SECONDS = 5.0
STEP_SECONDS = 0.02


def take_over(local: StackPaths, name: str) -> FileLock:
    """Become the one supervisor of the child `name` outside a stack, and end what a killed one has left of it.

    Its process id lies in the runtime folder of this machine, for several machines may share a data directory. Raises
    ServiceMissing while another one lives, or while the stack of this data directory has such a child.
    """
    pid_file, of_stack = local.runtime / f"{name}.pid", local.pids / f"{name}.pid"
    if is_held(local.stack_lock) and is_held(of_stack):
        raise ServiceMissing(f"{name} runs already as process {read_note(of_stack)}: stop it first.")
    lock = acquire(local.runtime / f"{name}.supervisor")
    if lock is None:
        raise ServiceMissing(f"{name} runs already as process {read_note(pid_file)}: stop it first.")
    end_orphans(local.runtime, pid_file.name)
    return lock


def end_orphans(folder: Path, pattern: str = "*.pid") -> None:
    """End what still runs from an earlier stack with its process ids in this folder, and remove the files it left.

    Only for the holder of the stack's lock, or with the file of one child for the one supervisor of that child. A
    process id is believed only while its process holds the lock on the file that it stands in, so no stranger with a
    reused id is ever hit.
    """
    files = sorted(folder.glob(pattern))
    for number, grace in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        for file in files:
            _signal(file, number)
        deadline = time.monotonic() + grace
        while any(is_held(file) for file in files) and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
    for file in files:
        if not is_held(file):
            file.unlink(missing_ok=True)


def _signal(file: Path, number: signal.Signals) -> None:
    pid = read_note(file)
    if pid.isdigit() and is_held(file):
        # macOS answers EPERM for a group of which only the dead are left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(pid), number)
