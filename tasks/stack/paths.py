"""The files of the local stack: its data with its locks, the logs of children, a short folder for the socket."""

import hashlib
import json
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from settings.errors import ServiceMissing

MAX_LOG_BYTES = 10_000_000
TAIL_BYTES = 65_536
ERROR = "error: "


@dataclass(frozen=True)
class StackPaths:
    """The folders and files of the stack of one data directory."""

    data: Path
    runtime: Path

    @property
    def redis_data(self) -> Path:
        """The folder of the append-only file of the private Redis."""
        return self.data / "redis"

    @property
    def catalog(self) -> Path:
        """The folder of the embedded Qdrant, with one folder for each collection."""
        return self.data / "catalog"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.data / "logs"

    @property
    def speeds(self) -> Path:
        """The folder with what the GPU workers have measured of their models, a file for each."""
        return self.data / "speeds"

    @property
    def precisions(self) -> Path:
        """The folder with what the probe has answered about precisions, a file for each model and machine."""
        return self.data / "precisions"

    @property
    def socket(self) -> Path:
        """The Unix socket of the private Redis."""
        return self.runtime / "redis.sock"

    @property
    def pids(self) -> Path:
        """The folder of the files that the children of the stack hold locked, with their process ids."""
        return self.data / "pids"

    @property
    def record(self) -> Path:
        """The file that says who keeps the stack up, and with what (tasks/stack/record.py)."""
        return self.data / "stack.json"

    @property
    def stack_lock(self) -> Path:
        """The lock that the supervisor of the stack holds exclusively while it lives."""
        return self.data / "stack.lock"

    @property
    def users_lock(self) -> Path:
        """The lock that every command that uses the stack holds shared; it is free if there is none."""
        return self.data / "users.lock"

    @property
    def work_lock(self) -> Path:
        """The lock that every command that has pictures worked on holds shared."""
        return self.data / "work.lock"

    def create(self) -> None:
        """Create all folders; raises ServiceMissing if the data directory cannot be written."""
        try:
            for folder in (self.data, self.redis_data, self.catalog, self.logs, self.pids):
                # Names, captions and places of pictures are nobody else's business.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError
        except OSError as error:
            if isinstance(error, PermissionError) and (owner := other_owner(self.data)):
                raise ServiceMissing(
                    f"The data directory {self.data} belongs to the user {owner}: run this as {owner}, or set "
                    "data.dir to a folder of your own."
                ) from error
            raise ServiceMissing(
                f"The data directory {self.data} cannot be written ({error.strerror or 'permission denied'}): "
                "make it writable or set data.dir to another folder."
            ) from error
        for folder in (self.runtime.parent, self.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.getuid():
                raise ServiceMissing(f"The folder {folder} belongs to another user: ask that user to remove it.")


def other_owner(path: Path) -> str:
    """The name of the user to whom a file or folder belongs, or its folder where that hides it; empty for one's own."""
    for place in (path, *path.parents):
        try:
            user = place.stat().st_uid
        except PermissionError:
            continue
        except OSError:
            return ""
        return user_name(user) if user != os.geteuid() else ""
    return ""


def user_name(user: int) -> str:
    """The name of a user, or the number of one that has none here."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def stack_paths(settings: Settings) -> StackPaths:
    """The paths of the stack for `settings.data.dir`; nothing is created yet.

    They follow from the data directory and the user alone: a terminal, a service and a cron job have other variables in
    their environment, and must find the same stack.
    """
    data = Path(settings.data.dir).expanduser().absolute()
    # The path of a Unix socket has at most 107 bytes, 103 on macOS, so the runtime folder has a short name of its own.
    key = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    return StackPaths(data=data, runtime=Path(f"/tmp/darkroom-{os.getuid()}") / key)


def rotate(path: Path) -> int:
    """Move a log that is too long to `<name>.1`, replacing that; returns the size of `path`, where new lines begin."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= MAX_LOG_BYTES:
        return size
    path.replace(path.with_name(path.name + ".1"))
    return 0


def error_line(path: Path, start: int = 0) -> str:
    """The sentence of the last line `error: ...` after byte `start`, or an empty text."""
    return next((line.removeprefix(ERROR) for line in reversed(_lines(path, start)) if line.startswith(ERROR)), "")


def last_line(path: Path, start: int = 0) -> str:
    """The last line after byte `start` that is not empty, or an empty text."""
    return next((line for line in reversed(_lines(path, start)) if line), "")


def _message(line: str) -> str:
    """The message of a line in JSON; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        return str(json.loads(line)["message"])
    except (ValueError, LookupError, TypeError):
        return line


def _lines(path: Path, start: int) -> list[str]:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            # A log that ends before `start` has been cut since, so all that it holds is newer.
            file.seek(max(start if start <= size else 0, size - TAIL_BYTES))
            return [_message(line.strip()) for line in file.read().decode("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return []
