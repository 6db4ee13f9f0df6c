"""The record of the stack that runs on a data directory: who keeps it up and with what, for whoever comes."""

import hashlib
import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from settings import Settings
from settings.errors import ServiceMissing
from tasks.messages import SCHEMA
from tasks.stack.locks import acquire, is_held, read_note
from tasks.stack.paths import StackPaths, other_owner, user_name

# Longer than a supervisor gives its children to end, kind by kind.
END_SECONDS = 60.0
STEP_SECONDS = 0.02
FREE_SECONDS = 0.3
AGAIN_SECONDS = 0.3
# A file lock holds on all machines that share a folder, and a record says on which one the stack runs.
HOST = socket.gethostname()


@dataclass(frozen=True)
class StackRecord:
    """A stack: its supervisor, the socket of its Redis, the release (schema) of its messages, since when it is up, and
    whether all its models run on the CPU.

    `stays` is True for one that goes down only when it is told to. `settings` is a short name for all its settings; the
    ones that matter to people stand beside it. `blip` is empty where no captions are written.
    """

    pid: int
    user: int
    host: str
    socket: str
    release: int
    since: float
    stays: bool
    collection: str
    clip: str
    blip: str
    settings: str
    on_cpu: bool


def settings_key(settings: Settings) -> str:
    """A short name for these settings and this release: two processes with the same one do the same."""
    return hashlib.sha256(f"{SCHEMA} {settings.model_dump_json()}".encode()).hexdigest()[:16]


def write_record(settings: Settings, local: StackPaths, stays: bool, on_cpu: bool) -> None:
    """Write the record of this process, which holds the lock of the stack."""
    record = StackRecord(
        pid=os.getpid(),
        user=os.getuid(),
        host=HOST,
        socket=str(local.socket),
        release=SCHEMA,
        since=time.time(),
        stays=stays,
        collection=settings.qdrant.collection,
        clip=settings.models.clip,
        blip=settings.models.blip if settings.models.captions else "",
        settings=settings_key(settings),
        on_cpu=on_cpu,
    )
    # Written beside it and moved there, so that nobody reads a part of it.
    new = local.record.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    new.replace(local.record)


def read_record(local: StackPaths) -> StackRecord | None:
    """The record of the stack that runs; None where none does, whatever one that was killed has left.

    Raises ServiceMissing where the stack is another user's, or runs on another machine.
    """
    try:
        holder = read_note(local.stack_lock)
        if not holder or not is_held(local.stack_lock):
            return None
        record = StackRecord(**json.loads(local.record.read_text(encoding="utf-8")))
    except PermissionError:
        raise ServiceMissing(_of_another_user(local, other_owner(local.stack_lock))) from None
    except (OSError, ValueError, TypeError):
        return None  # it is about to be written, or is that of another release
    if holder != str(record.pid):
        return None
    if record.user != os.getuid():
        raise ServiceMissing(_of_another_user(local, user_name(record.user), record.pid))
    if record.host != HOST and not Path(record.socket).exists():
        raise ServiceMissing(
            f"The stack of {local.data} runs on the machine {record.host} (process {record.pid}): use it there, or set "
            "data.dir to a folder of this machine."
        )
    return record


def _of_another_user(local: StackPaths, user: str, pid: int | None = None) -> str:
    process = f" (process {pid})" if pid else ""
    return (
        f"The stack of {local.data} belongs to the user {user}{process}: run this as {user}, or set data.dir to a "
        "folder of your own."
    )


def end_stack(local: StackPaths, record: StackRecord, at_once: bool = False) -> None:
    """Ask the stack to go down, and wait until it has; `at_once` leaves its children no time to hand back their work.

    Raises ServiceMissing where it does not end.
    """
    _signal(local, record)
    begin = time.monotonic()
    while is_held(local.stack_lock) and read_note(local.stack_lock) in ("", str(record.pid)):
        # The second signal counts only after the first has arrived, and a third would hit it while it tidies up.
        if at_once and time.monotonic() > begin + AGAIN_SECONDS:
            at_once = False
            _signal(local, record)
        if time.monotonic() > begin + END_SECONDS:
            raise ServiceMissing(
                f"The stack of {local.data} (process {record.pid}) has not ended in {END_SECONDS:g} s: see "
                f"{local.logs / 'stack.log'}."
            )
        time.sleep(STEP_SECONDS)


def end_if_idle(local: StackPaths, record: StackRecord) -> bool:
    """End a stack that no command uses; False where one does. Who comes meanwhile waits."""
    # The supervisor takes this lock for an instant, again and again, to see whether anybody uses it.
    users = acquire(local.users_lock, wait=FREE_SECONDS)
    if users is None:
        return False
    with users:
        end_stack(local, record)
    return True


def _signal(local: StackPaths, record: StackRecord) -> None:
    # Only while the process holds the lock: its number may be a stranger's by then.
    if is_held(local.stack_lock) and read_note(local.stack_lock) == str(record.pid):
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
