"""Starts a child process that cannot outlive its supervisor unnoticed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tasks.errors import ServiceMissing
from tasks.locks import note_in, take
from workers.local.child_spec import ChildSpec

PR_SET_PDEATHSIG = 1
# Looked up before any fork: between fork and exec a child should not load libraries.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(spec: ChildSpec, log: Path, lock_file: Path) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, with its output appended to `log`.

    The child itself holds the lock on `lock_file`, so the process id in that file belongs to it for as long as the lock
    is held. Raises ServiceMissing when the same child runs already or the command cannot be started.
    """
    lock = take(lock_file, wait=2.0)
    if lock is None:
        raise ServiceMissing(f"{spec.name} runs already as process {note_in(lock_file)}: stop it first.")
    with lock, log.open("ab") as output:
        try:
            process = subprocess.Popen(
                spec.argv,
                env={**os.environ, **spec.env},
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
    there the next stack ends what it finds (workers/local/orphans.py). The kernel goes by the thread that started the
    child, so that one must last as long as the child is wanted.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return before_exec
