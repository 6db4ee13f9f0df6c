"""Where the local stack lives: its data, its logs, and a short runtime folder for the socket and the locks."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from settings.errors import ServiceMissing


@dataclass(frozen=True)
class StackPaths:
    """The folders and files of the stack that belongs to one data directory."""

    data: Path
    runtime: Path

    @property
    def redis_data(self) -> Path:
        """Folder of the private Redis' append-only file."""
        return self.data / "redis"

    @property
    def catalog(self) -> Path:
        """Folder of the embedded Qdrant, one folder below it for each collection."""
        return self.data / "catalog"

    @property
    def logs(self) -> Path:
        """Folder of the children's logs."""
        return self.data / "logs"

    @property
    def socket(self) -> Path:
        """Unix socket of the private Redis."""
        return self.runtime / "redis.sock"

    @property
    def stack_lock(self) -> Path:
        """Held exclusively by the supervisor of the stack for as long as it lives."""
        return self.runtime / "stack.lock"

    @property
    def users_lock(self) -> Path:
        """Held shared by every command that uses the stack; whoever gets it exclusively knows that nobody does."""
        return self.runtime / "users.lock"

    def create(self) -> None:
        """Make all folders; raises ServiceMissing where the data directory cannot be written."""
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
    """The places of the stack for `settings.data.dir`; nothing is created yet."""
    data = Path(settings.data.dir).expanduser().absolute()
    # The path of a Unix socket ends at 107 bytes, so the runtime folder is short whatever the data directory's depth.
    key = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if len(str(parent)) > 60 or not parent.is_dir():
        parent = Path("/tmp")
    return StackPaths(data=data, runtime=parent / f"darkroom-{os.getuid()}" / key)
