"""From the address in a message to its bytes: the path map, the allowed roots, and which reader has the scheme."""

import os
from pathlib import Path
from typing import BinaryIO

from settings import Settings
from tasks.paths import NotAllowed, file_path, paths_of
from tasks.uris import REMOTE, split
from workers.gpu.archives import Archives
from workers.gpu.picture import Content, LoadError
from workers.gpu.read import FileGone, NotReachable, open_regular, read_at
from workers.gpu.remote_files import RemoteFiles


class Sources:
    """Every place that this worker may read pictures from; safe to call from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._paths = paths_of(settings)
        self._max_bytes = settings.ingest.max_bytes
        self._archives = Archives(self._max_bytes)
        self._remote = RemoteFiles(self._paths, self._max_bytes, settings.ingest.load_seconds)

    def read(self, uri: str, root: str) -> Content:
        """Read a file of a job with this root.

        Raises LoadError with the reason when it cannot be read, as NotReachable where another worker may reach it.
        """
        try:
            name, outer = split(uri)
        except ValueError as error:
            raise LoadError("read", str(error)) from None
        scheme = outer.partition("://")[0]
        if scheme in REMOTE:
            if name is None:
                return self._remote.read(outer)
            version, opened = self._remote.open(outer)
            return self._archives.read(outer, version, opened, name)
        path = self._local(outer)
        try:
            if name is None:
                return read_at(path, self._max_bytes)
            descriptor, facts = open_regular(path)
            os.close(descriptor)
            state = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            return self._archives.read(outer, state, lambda: _stream(path), name)
        except FileGone:
            if name is None or not os.path.exists(path):
                self._require_root(Path(path), root)
            raise

    def _local(self, uri: str) -> str:
        try:
            return os.fsdecode(self._paths.allowed(self._paths.here(file_path(uri))))
        except (ValueError, NotAllowed) as error:
            raise LoadError("read", str(error)) from None

    def _require_root(self, path: Path, root: str) -> None:
        """Raise NotReachable when it is not the file that is missing but the disk: the root is not mounted here."""
        if _has_content(path.parent):
            return
        try:
            named = file_path(split(root)[1])
        except ValueError:
            return
        folder = Path(os.fsdecode(self._paths.here(named)))
        if folder.is_file() or _has_content(folder):
            return
        what = "is an empty folder" if folder.is_dir() else "is not there"
        raise NotReachable(f"{os.fsencode(folder).decode(errors='replace')} {what}: is it mounted? (paths.map)")


def _has_content(folder: Path) -> bool:
    try:
        with os.scandir(folder) as listing:
            return next(listing, None) is not None
    except OSError:
        return False


def _stream(path: str) -> BinaryIO:
    return open(open_regular(path)[0], "rb")
