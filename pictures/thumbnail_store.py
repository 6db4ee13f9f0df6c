"""Where small pictures are kept, by the content of the file: a folder or a bucket, within a bound of bytes.

What is kept can always be made anew from the file, so no failure of the store is an error: a picture that cannot be
read from it is missing, one that cannot be written is not kept.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pictures.remote import filesystem
from pictures.uris import place
from settings import Settings
from settings.errors import DarkroomError

# A picture lies in the shard that its hash begins with. Hashes spread evenly, so each shard is kept within its part of
# the bound, and nobody ever has to list all: of a million pictures a shard holds 4,000, listed in 10 ms.
SHARDS = 256
# When a shard is full so much of it stays; it is listed again when the rest may have been filled.
KEPT = 0.8
# Half-written files of a process that was killed are older than this.
ABANDONED_SECONDS = 3600.0
# One answer of a bucket may take so long.
ANSWER_SECONDS = 20.0
# So long nothing is asked of a bucket that has just not answered: each try takes seconds, and files go on without it.
AWAY_SECONDS = 30.0
SENDERS = 8
WAITING = 64
T = TypeVar("T")
# (when it was looked at or made, in seconds since 1970; bytes; name)
Kept = tuple[float, int, str]


class Home(Protocol):
    """What a folder and a bucket have in common; names are "ab/abcd...-256.webp". All but `keep` raise OSError."""

    def read(self, name: str) -> bytes:
        """What is kept by this name."""

    def keep(self, name: str, data: bytes) -> None:
        """Keep it by this name; never raises."""

    def listed(self, shard: str) -> Iterator[Kept]:
        """Everything in a shard."""

    def remove(self, name: str) -> None:
        """Remove one."""


class Folder:
    """A folder of this machine, or of a volume that several share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        """See Home; what is read counts as looked at just now."""
        path = self._folder / name
        data = path.read_bytes()
        with suppress(OSError):  # a volume that may only be read
            os.utime(path)
        return data

    def keep(self, name: str, data: bytes) -> None:
        """See Home: whole or not at all, whoever writes the same at the same time."""
        path = self._folder / name
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        with suppress(OSError):
            try:
                part.write_bytes(data)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(data)
            part.replace(path)
            return
        with suppress(OSError):  # what was not kept, for example for want of room, leaves nothing behind
            part.unlink()

    def listed(self, shard: str) -> Iterator[Kept]:
        """See Home."""
        with os.scandir(self._folder / shard) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat()
                    is_part = not entry.name.endswith(".webp")
                    if not is_part or time.time() - status.st_mtime > ABANDONED_SECONDS:
                        yield 0.0 if is_part else status.st_mtime, status.st_size, f"{shard}/{entry.name}"

    def remove(self, name: str) -> None:
        """See Home."""
        (self._folder / name).unlink()


class Bucket:
    """A folder of a bucket; what is kept is sent behind the caller's back, for a bucket takes a while for each."""

    def __init__(self, address: str) -> None:
        where = place(address)
        self._path = f"{where.host}/{where.path}".rstrip("/")
        self._system: Any = filesystem(where.scheme, ANSWER_SECONDS)
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="thumbnails")
        # Whoever makes them faster than the bucket takes them waits, so that they do not fill the memory.
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._away_until = 0.0

    def read(self, name: str) -> bytes:
        """See Home."""
        return self._asked(lambda: bytes(self._system.cat_file(f"{self._path}/{name}")))

    def keep(self, name: str, data: bytes) -> None:
        """See Home."""

        def send() -> None:
            try:
                with suppress(OSError):
                    self._asked(lambda: self._system.pipe_file(f"{self._path}/{name}", data))
            finally:
                self._waiting.release()

        self._waiting.acquire()
        try:
            self._senders.submit(send)
        except RuntimeError:  # this process ends
            self._waiting.release()

    def listed(self, shard: str) -> Iterator[Kept]:
        """See Home; a bucket does not tell when something was looked at, so the oldest go first."""
        for info in self._asked(lambda: self._system.ls(f"{self._path}/{shard}", detail=True)):
            moment = info.get("LastModified") or info.get("updated") or info.get("mtime")
            when = moment.timestamp() if hasattr(moment, "timestamp") else 0.0
            yield when, int(info.get("size") or 0), f"{shard}/{str(info['name']).rpartition('/')[2]}"

    def remove(self, name: str) -> None:
        """See Home."""
        self._asked(lambda: self._system.rm_file(f"{self._path}/{name}"))

    def _asked(self, request: Callable[[], T]) -> T:
        if time.monotonic() < self._away_until:
            raise TimeoutError("the bucket has just not answered")
        try:
            return request()
        except FileNotFoundError:
            raise
        except Exception as error:  # libraries of buckets have their own, which here mean only that there is no answer
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise OSError(str(error)) from None


class ThumbnailStore:
    """Small pictures by the hash of the file and their size; many processes and threads may share one place."""

    def __init__(self, settings: Settings, writers: int = 1) -> None:
        """At `thumbnails.place`, or below data.dir; raises ServiceMissing where the package for a bucket is missing.

        `writers` is how many processes of one worker write at the same time: they share the room that each sees.
        """
        where = settings.thumbnails.place
        if where in ("auto", "none"):
            self._home: Home = Folder(settings.data.dir / "thumbnails")
        else:
            self._home = Folder(Path(where)) if where.startswith("/") else Bucket(where)
        self._most = settings.thumbnails.bytes / SHARDS
        self._writers = writers
        self._room: dict[str, float] = {}
        self._lock = threading.Lock()

    def get(self, sha256: str, size: int) -> bytes | None:
        """The picture of a content in at most `size` pixels each way, as WebP; None where none is kept."""
        try:
            return self._home.read(_name(sha256, size))
        except OSError:
            return None

    def put(self, sha256: str, size: int, data: bytes) -> None:
        """Keep a picture, and remove what was looked at longest ago where there are too many."""
        name = _name(sha256, size)
        self._home.keep(name, data)
        shard = name[:2]
        with self._lock:
            # What others have written shows when a shard is listed: at first, and when this process may have filled it.
            room = self._room.get(shard, 0.0) - len(data)
            self._room[shard] = room
        if room < 0:
            left = self._swept(shard)
            with self._lock:
                self._room[shard] = left

    def _swept(self, shard: str) -> float:
        """Remove the oldest of a shard that holds too much; how many bytes may be written before it is listed again."""
        try:
            found = sorted(self._home.listed(shard))
        except OSError:
            found = []
        held = sum(size for _, size, _ in found)
        if held > self._most:
            for _, size, name in found:
                if held <= self._most * KEPT:
                    break
                with suppress(OSError):
                    self._home.remove(name)
                    held -= size
        return max(self._most - held, self._most * (1 - KEPT) / 2) / self._writers


def kept_here(settings: Settings) -> ThumbnailStore | None:
    """The store as a command looks into it: None where it cannot be opened, for then there are no small pictures."""
    try:
        return ThumbnailStore(settings)
    except DarkroomError:
        return None


def _name(sha256: str, size: int) -> str:
    return f"{sha256[:2]}/{sha256}-{size}.webp"
