"""From a URI to bytes: one read serves hash, EXIF and both models."""

import errno
import hashlib
import os
import stat
from pathlib import Path

from tasks.paths import file_path
from workers.gpu.picture import Content, LoadError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class FileGone(LoadError):
    """There is no such file."""

    def __init__(self, reason: str = "the file is gone") -> None:
        super().__init__("read", reason)


class NotReachable(LoadError):
    """This machine does not see the place where the file lies; another one may."""

    def __init__(self, reason: str) -> None:
        super().__init__("read", reason)


def local_path(uri: str) -> Path:
    """The path of a file:// URI; raises LoadError for another scheme."""
    try:
        return Path(os.fsdecode(file_path(uri)))
    except ValueError as error:
        raise LoadError("read", str(error)) from None


def read(uri: str, max_bytes: int) -> Content:
    """Read a local file once; raises LoadError with the reason when it cannot be."""
    return read_at(local_path(uri), max_bytes)


def open_regular(path: str | Path) -> tuple[int, os.stat_result]:
    """A descriptor of an ordinary file, open for reading, and its facts; raises LoadError where there is none."""
    try:
        _refuse_special(os.stat(path))
        # O_NONBLOCK: a named pipe that has just taken the file's place would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise FileGone from None
    except PermissionError:
        raise LoadError("read", "no permission to read it") from None
    except OSError as error:
        in_a_circle = error.errno == errno.ELOOP
        reason = "the link leads back to itself" if in_a_circle else f"cannot be opened: {error.strerror}"
        raise LoadError("read", reason) from None
    facts = os.fstat(descriptor)
    try:
        _refuse_special(facts)
    except LoadError:
        os.close(descriptor)
        raise
    return descriptor, facts


def read_at(path: str | Path, max_bytes: int) -> Content:
    """Read the file at a path once; raises LoadError with the reason when it cannot be."""
    descriptor, before = open_regular(path)
    try:
        if before.st_size == 0:
            raise LoadError("read", "the file is empty")
        if before.st_size > max_bytes:
            raise LoadError("read", f"{before.st_size:,} bytes are more than ingest.max_bytes = {max_bytes:,}")
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
    return Content(data, hashlib.sha256(data).hexdigest(), before.st_mtime_ns)


def _refuse_special(facts: os.stat_result) -> None:
    # Told before it is opened: opening a device can already do something, and open() does not take a directory.
    for test, kind in _KINDS:
        if test(facts.st_mode):
            raise LoadError("read", f"not a regular file but {kind}")
