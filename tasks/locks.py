"""File locks that end with the processes that hold them, and whose files may be removed while others wait for them."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

WAIT_STEP = 0.02


class FileLock:
    """A lock that is held, until `release` or the end of the process; use `acquire` to get one."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def write(self, text: str) -> None:
        """Leave a short note in the file, such as the process id of the holder, for `read_note`."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode(), 0)

    def refresh(self) -> bool:
        """Keep the file from looking old to those who clean up temporary folders; False when it has been removed."""
        os.utime(self.fd)
        return _is_at(self.path, self.fd)

    def remove(self) -> None:
        """Remove the file and release; only for an exclusive holder, whom nobody else can hold it beside."""
        if _is_at(self.path, self.fd):
            self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Give it back; a child that inherited the descriptor keeps holding it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire(path: Path, *, shared: bool = False, wait: float = 0.0) -> FileLock | None:
    """The lock on `path`, made if missing, or None if others held it for all of `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        lock = _try_once(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        if lock or time.monotonic() >= deadline:
            return lock
        time.sleep(WAIT_STEP)


def is_held(path: Path) -> bool:
    """True while a process holds the lock exclusively; makes no file."""
    # Asked for shared, so that two who look at the same time do not take each other for a holder.
    return _is_refused(path, fcntl.LOCK_SH)


def is_used(path: Path) -> bool:
    """True while a process holds the lock, shared or exclusively; makes no file."""
    return _is_refused(path, fcntl.LOCK_EX)


def read_note(path: Path) -> str:
    """What the holder wrote, or an empty text."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""


def _is_refused(path: Path, kind: int) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def _try_once(path: Path, kind: int) -> FileLock | None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        # The former holder removed the folder just now; a later try makes it again.
        return None
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        # A holder that removed the file leaves its waiters with a lock on a file that nobody else can find.
        if _is_at(path, fd):
            return FileLock(path, fd)
    except BlockingIOError:
        pass
    os.close(fd)
    return None


def _is_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
