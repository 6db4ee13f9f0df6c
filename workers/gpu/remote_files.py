"""Reads files in buckets and on web servers, by fsspec, within the same bounds as local ones."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar, cast

from tasks.errors import ServiceMissing
from tasks.paths import NotAllowed, Paths
from tasks.remote import filesystem, what_happened
from tasks.uris import Place
from tasks.versions import modified
from workers.gpu.picture import Content, LoadError
from workers.gpu.read import FileGone, NotReachable

T = TypeVar("T")
# Below the limit that the watchdog sets, which ends the whole process.
PATIENCE = 0.8


class RemoteFiles:
    """The files of s3://, gs:// and http(s):// that this machine may read; safe to call from many threads."""

    def __init__(self, paths: Paths, max_bytes: int, load_seconds: float) -> None:
        self._paths = paths
        self._max_bytes = max_bytes
        self._seconds = max(1.0, PATIENCE * load_seconds)
        self._systems: dict[str, Any] = {}
        self._lock = threading.Lock()

    def read(self, uri: str) -> Content:
        """Read a file once; raises LoadError with the reason, NotReachable where another machine may do better."""
        place, info = self._look(uri)
        size = info["size"]
        if size == 0:
            raise LoadError("read", "the file is empty")
        if size is not None and size > self._max_bytes:
            raise LoadError("read", f"{size:,} bytes are more than ingest.max_bytes = {self._max_bytes:,}")
        data = self._ask(place, lambda: self._bytes(uri, place, size))
        if len(data) > self._max_bytes:
            raise LoadError("read", f"more than ingest.max_bytes = {self._max_bytes:,} bytes")
        if not data:
            raise LoadError("read", "the file is empty")
        if size is not None and len(data) != size:
            raise LoadError("read", "the file changed while it was read; ingest it again when it is at rest")
        return Content(data, hashlib.sha256(data).hexdigest(), modified(info))

    def open(self, uri: str) -> tuple[int, Callable[[], BinaryIO]]:
        """A number that changes with the file, and how to open it for reading here and there; raises as `read`."""
        place, info = self._look(uri)
        system, path = self._system(place), _path(uri, place)
        return modified(info), lambda: cast(BinaryIO, self._ask(place, lambda: system.open(path, "rb")))

    def _look(self, uri: str) -> tuple[Place, dict[str, Any]]:
        try:
            place = self._paths.allowed_place(uri)
        except NotAllowed as error:
            raise LoadError("read", str(error)) from None
        info: dict[str, Any] = self._ask(place, lambda: self._system(place).info(_path(uri, place)))
        if info.get("type") == "directory":
            raise LoadError("read", "not a file but a folder")
        return place, info

    def _bytes(self, uri: str, place: Place, size: int | None) -> bytes:
        system, path = self._system(place), _path(uri, place)
        if size is not None and place.scheme in ("s3", "gs"):
            return bytes(system.cat_file(path, start=0, end=size))
        # A web server may send more than it announced, so what it sends is counted.
        data = b""
        with system.open(path, "rb", block_size=0, size=size) as stream:
            while len(data) <= self._max_bytes and (more := stream.read(self._max_bytes + 1 - len(data))):
                data += more
        return data

    def _system(self, place: Place) -> Any:
        scheme = "http" if place.scheme == "https" else place.scheme
        with self._lock:
            if scheme not in self._systems:
                self._systems[scheme] = filesystem(scheme, self._seconds, self._may_follow)
            return self._systems[scheme]

    def _may_follow(self, address: str) -> bool:
        try:
            self._paths.allowed_place(address)
        except NotAllowed:
            return False
        return True

    def _ask(self, place: Place, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except ServiceMissing as error:
            raise NotReachable(str(error).removesuffix(".")) from error
        except Exception as error:
            raise _explained(place, error) from None


def _path(uri: str, place: Place) -> str:
    return uri if place.scheme in ("http", "https") else f"{place.host}/{place.path}"


def _explained(place: Place, error: Exception) -> LoadError:
    """The error of a library as the reason that a person reads."""
    where = f"{place.scheme}://{place.host}"
    match what_happened(error, place.scheme):
        case "gone":
            return FileGone()
        case "locked":
            return LoadError(
                "read", f"{where} gives no permission to read it, or this worker has no credentials for it"
            )
        case "sent on":
            return LoadError(
                "read", f"{where} sends on to an address that is not among the allowed roots (paths.allowed)"
            )
        case "away":
            return NotReachable(f"{where} does not answer ({type(error.__cause__ or error).__name__})")
        case "other":
            return LoadError("read", f"cannot be read ({type(error).__name__})")
