"""Reads the bytes of an address once, for the hash, the metadata and both models.

The path map and the allowed roots are applied first, then the reader of the scheme.
"""

import errno
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pictures.archives import Archives
from pictures.facts.sidecar import MAX_BYTES as MAX_SIDECAR_BYTES
from pictures.facts.sidecar import find_sidecar
from pictures.paths import NotAllowed, paths_of
from pictures.picture import (
    Content,
    FileGone,
    LoadError,
    NotReachable,
    Reserve,
    Sidecar,
    check_bytes,
    int64,
    no_limit,
)
from pictures.remote import RemoteFiles
from pictures.uris import REMOTE, file_path, split
from settings import Settings

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | Path) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file, open for reading, and its stat; raises LoadError if it is not a regular file."""
    try:
        _refuse_special(os.stat(path))
        # O_NONBLOCK: if a named pipe has just replaced the file, opening it would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise FileGone from None
    except PermissionError:
        raise LoadError("read", "no permission to read it") from None
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
        reason = "the link leads back to itself" if is_loop else f"cannot be opened: {error.strerror}"
        raise LoadError("read", reason) from None
    status = os.fstat(descriptor)
    try:
        _refuse_special(status)
    except LoadError:
        os.close(descriptor)
        raise
    return descriptor, status


def read(uri: str, max_bytes: int) -> Content:
    """Read a file:// address once; raises LoadError with the reason if that fails."""
    try:
        path = file_path(uri)
    except ValueError as error:
        raise LoadError("read", str(error)) from None
    return read_at(os.fsdecode(path), max_bytes)


def read_at(path: str | Path, max_bytes: int, reserve: Reserve = no_limit) -> Content:
    """Read the file at a path once; raises LoadError with the reason if that fails."""
    descriptor, before = open_regular(path)
    try:
        check_bytes(before.st_size, int64(before.st_mtime_ns), max_bytes)
        reserve(before.st_size)
        try:
            data = os.read(descriptor, before.st_size + 1)
            while len(data) < before.st_size and (more := os.read(descriptor, before.st_size + 1 - len(data))):
                data += more
        except OSError as error:
            raise LoadError("read", f"cannot be read: {error.strerror}") from None
        except MemoryError:
            raise LoadError("read", f"not enough memory to read its {before.st_size:,} bytes") from None
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise LoadError("read", "the file changed while it was read; ingest it again when it is at rest")
    return Content(data, hashlib.sha256(data).hexdigest(), int64(before.st_mtime_ns))


def _refuse_special(status: os.stat_result) -> None:
    # Checked before it is opened, because opening a device may have an effect.
    for test, kind in _KINDS:
        if test(status.st_mode):
            raise LoadError("read", f"not a regular file but {kind}")


class Sources:
    """All places from which this worker may read pictures; safe to call from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._paths = paths_of(settings)
        self._max_bytes = settings.ingest.max_bytes
        self._archives = Archives(self._max_bytes)
        self._remote = RemoteFiles(self._paths, self._max_bytes, settings.ingest.load_seconds)

    def read(self, uri: str, root: str, reserve: Reserve = no_limit, may_have_sidecar: bool = True) -> Content:
        """Read a file of a job with this root; `reserve` gets its size before memory is taken for it.

        Its sidecar is looked for unless somebody has seen that there is none, for that costs as much as a small file.
        Raises LoadError with the reason if that fails, NotReachable if another worker may succeed, and what `reserve`
        raises.
        """
        try:
            name, outer = split(uri)
        except ValueError as error:
            raise LoadError("read", str(error)) from None
        scheme = outer.partition("://")[0]
        if scheme in REMOTE:
            if name is None:
                return self._remote.read(outer, reserve)
            version, open_archive = self._remote.open(outer)
            return self._archives.read(outer, version, open_archive, name, reserve)
        path = self._local(outer)
        try:
            if name is None:
                content = read_at(path, self._max_bytes, reserve)
                content.sidecar = self._sidecar(path) if may_have_sidecar else None
                return content
            descriptor, status = open_regular(path)
            os.close(descriptor)
            state = (status.st_ino, status.st_size, status.st_mtime_ns)
            return self._archives.read(outer, state, lambda: _stream(path), name, reserve)
        except FileGone:
            if name is None or not os.path.exists(path):
                self._require_root(Path(path), root)
            raise

    def _local(self, uri: str) -> str:
        try:
            return os.fsdecode(self._paths.allowed(self._paths.here(file_path(uri))))
        except (ValueError, NotAllowed) as error:
            raise LoadError("read", str(error)) from None

    def _sidecar(self, path: str) -> Sidecar | None:
        found = find_sidecar(os.fsencode(path))
        if found is None:
            return None
        name, version = found
        data = b""
        with suppress(NotAllowed, LoadError):
            # A link may lead out of the folders that this worker may read.
            data = read_at(os.fsdecode(self._paths.allowed(name)), MAX_SIDECAR_BYTES).data
        return Sidecar(data, version)

    def _require_root(self, path: Path, root: str) -> None:
        """Raise NotReachable if the whole disk is missing and not only the file: the root is not mounted here."""
        if _has_content(path.parent):
            return
        try:
            root_path = file_path(split(root)[1])
        except ValueError:
            return
        folder = Path(os.fsdecode(self._paths.here(root_path)))
        if folder.is_file() or _has_content(folder):
            return
        problem = "is an empty folder" if folder.is_dir() else "is not there"
        raise NotReachable(f"{os.fsencode(folder).decode(errors='replace')} {problem}: is it mounted? (paths.map)")


def _has_content(folder: Path) -> bool:
    try:
        with os.scandir(folder) as listing:
            return next(listing, None) is not None
    except OSError:
        return False


def _stream(path: str) -> BinaryIO:
    return open(open_regular(path)[0], "rb")
