"""The paths of the local stack: its data, its logs, and a short runtime folder for the socket and the locks."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from settings.errors import ServiceMissing


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
        return self.runtime / "stack.lock"

    @property
    def users_lock(self) -> Path:
        """The lock that every command that uses the stack holds shared; it is free if there is none."""
        return self.runtime / "users.lock"

    def create(self) -> None:
        """Create all folders; raises ServiceMissing if the data directory cannot be written."""
        try:
            for folder in (self.data, self.redis_data, self.catalog, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
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
                raise ServiceMissing(
                    f"The runtime folder {folder} belongs to another user: set TMPDIR to one of yours."
                )


def stack_paths(settings: Settings) -> StackPaths:
    """The paths of the stack for `settings.data.dir`; nothing is created yet."""
    data = Path(settings.data.dir).expanduser().absolute()
    # The path of a Unix socket has at most 107 bytes, so the runtime folder has a short name of its own.
    key = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if len(str(parent)) > 60 or not parent.is_dir():
        parent = Path("/tmp")
    return StackPaths(data=data, runtime=parent / f"darkroom-{os.getuid()}" / key)
