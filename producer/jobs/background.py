"""An ingest in a process of its own, for a program that must not wait for its end: a web server."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from redis.exceptions import RedisError

from producer.stack import Stack
from settings import Settings
from settings.child_commands import child_command, child_environment
from settings.errors import ServiceMissing, WrongUse
from tasks.broker import redis_client
from tasks.ledger import JOB_VARIABLE, Ledger, new_job_id
from tasks.stack.paths import error_line, last_line

STEP_SECONDS = 0.05


def start(command: str, arguments: Sequence[str], settings: Settings, stack: Stack) -> str:
    """Run `ingest` or `retry` and leave it running; the name of its job, once there is one.

    Raises what the command ends with before it has a job. The stack stays up as long as the command uses it.
    """
    job = new_job_id()
    with tempfile.TemporaryDirectory(prefix="darkroom-ingest-") as folder:
        said = Path(folder) / "err"
        child = _run(command, arguments, job, said)
        ledger = Ledger(redis_client(settings), job)
        while True:
            has_ended = child.poll() is not None
            with suppress(RedisError):  # the command itself waits for it
                if ledger.is_open():
                    break
            if has_ended:
                raise _reason(child.returncode, said, arguments)
            time.sleep(STEP_SECONDS)
    threading.Thread(target=child.wait, name=f"job {job}", daemon=True).start()
    return job


def _run(command: str, arguments: Sequence[str], job: str, said: Path) -> "subprocess.Popen[bytes]":
    with said.open("wb") as to_err:
        return subprocess.Popen(
            child_command("producer", command, "--json", "--", *arguments),
            env={**child_environment(), JOB_VARIABLE: job},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=to_err,
            # Ctrl-C in the terminal of whoever started it is not meant for it.
            start_new_session=True,
        )


def _reason(code: int, said: Path, arguments: Sequence[str]) -> WrongUse | ServiceMissing:
    if code == 0:
        return WrongUse(f"No file of job {arguments[0]} failed.")
    sentence = error_line(said) or last_line(said) or f"The ingest ended with exit code {code}."
    return (WrongUse if code == WrongUse.exit_code else ServiceMissing)(sentence)
