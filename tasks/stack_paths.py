"""The files of the local stack: its data with its locks, the logs of children, a short folder for the socket."""

import hashlib
import json
import os
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
    def socket(self) -> Path:
        """The Unix socket of the private Redis."""
        return self.runtime / "redis.sock"

    @property
    def stack_lock(self) -> Path:
        """The lock that the supervisor of the stack holds exclusively while it lives."""
        return self.data / "stack.lock"

    @property
    def users_lock(self) -> Path:
        """The lock that every command that uses the stack holds shared; it is free if there is none."""
        return self.data / "users.lock"

    def create(self) -> None:
        """Create all folders; raises ServiceMissing if the data directory cannot be written."""
        try:
            for folder in (self.data, self.redis_data, self.catalog, self.logs):
                # Names, captions and places of pictures are nobody else's business.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError
        except OSError as error:
            raise ServiceMissing(
                f"The data directory {self.data} cannot be written ({error.strerror or 'permission denied'}): "
                "make it writable or set data.dir to another folder."
            ) from error
        for folder in (self.runtime.parent, self.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.getuid():
                raise ServiceMissing(f"The folder {folder} belongs to another user: ask that user to remove it.")


def stack_paths(settings: Settings) -> StackPaths:
    """The paths of the stack for `settings.data.dir`; nothing is created yet.

    They follow from the data directory and the user alone: a terminal, a service and a cron job have other variables in
    their environment, and must find the same stack.
    """
    data = Path(settings.data.dir).expanduser().absolute()
    # The path of a Unix socket has at most 107 bytes, so the runtime folder has a short name of its own.
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
