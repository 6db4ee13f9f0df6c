"""File locks that end with their process; the file of a lock may be removed while others wait for it."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

WAIT_STEP = 0.02


class FileLock:
    """A held lock, until `release` or the end of the process; `acquire` returns one."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def write(self, text: str) -> None:
        """Write a short note into the file, such as the process id of the holder, for `read_note`."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode(), 0)

    def refresh(self) -> bool:
        """Update the time of the file, so that no cleaner of temporary folders removes it; False if it was removed."""
        os.utime(self.fd)
        return _is_at(self.path, self.fd)

    def remove(self) -> None:
        """Remove the file and release the lock; only for an exclusive holder."""
        if _is_at(self.path, self.fd):
            self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Release the lock; a child process that inherited the descriptor still holds it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire(path: Path, *, shared: bool = False, wait: float = 0.0) -> FileLock | None:
    """The lock on the file `path`, which is created if missing; None if others held it for `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        lock = _try_once(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        if lock or time.monotonic() >= deadline:
            return lock
        time.sleep(WAIT_STEP)


def is_held(path: Path) -> bool:
    """True while a process holds the lock exclusively; creates no file."""
    # Tried shared, so that two processes that check at the same time do not see each other as the holder.
    return _is_refused(path, fcntl.LOCK_SH)


def is_used(path: Path) -> bool:
    """True while a process holds the lock, shared or exclusively; creates no file."""
    return _is_refused(path, fcntl.LOCK_EX)


def read_note(path: Path) -> str:
    """The note of the holder, or an empty text."""
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
        # The last holder has just removed the folder; a later try creates it again.
        return None
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        # If the holder has removed the file, this lock is on a file that no other process can find.
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
