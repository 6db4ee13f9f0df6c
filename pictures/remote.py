"""Remote files by fsspec: s3://, gs:// and http(s)://, with the same limits as local files.

Credentials come from the environment of each library. The version of such a file is one number, `mtime` in the payload,
which the scan and the reader both compute. It is the time of the last modification in nanoseconds: whole seconds, and
in place of their fraction a checksum of what changes with the content (the ETag, or the CRC-32 in an archive), so that
two versions from the same second differ.
"""

import hashlib
import importlib
import math
import random
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Literal, TypeVar, cast

from pictures.paths import NotAllowed, Paths
from pictures.picture import Content, FileGone, LoadError, NotReachable, Reserve, check_bytes, int64, no_limit
from pictures.uris import Place
from settings.errors import ServiceMissing
from settings.extras import install_hint

CONNECT_SECONDS = 5
_PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "http": ("aiohttp", "http"), "https": ("aiohttp", "http")}

_NO_ANSWER = {"OSError", "TimeoutError", "ClientError", "BotoCoreError", "HttpError"}
_NO_PERMISSION = {"PermissionError", "NoCredentialsError", "PartialCredentialsError"}
What = Literal["gone", "locked", "sent on", "away", "other"]

T = TypeVar("T")
TRIES = 4
PAUSE_SECONDS = 0.5
# What a server answers that has too much to do, or is being started.
_BUSY = (429, 500, 502, 503, 504)


class RedirectRefused(Exception):
    """A web server redirects to an address that is not allowed."""


def what_happened(error: Exception, scheme: str) -> What:
    """The meaning of a library's error; its text is never shown, because it may contain a signed address."""
    # fsspec raises FileNotFoundError for every error of a web server; the real error is its cause.
    is_wrapped = scheme in ("http", "https") and isinstance(error, FileNotFoundError)
    cause = (error.__cause__ if is_wrapped else None) or error
    names = {class_.__name__ for class_ in type(cause).__mro__}
    status = getattr(cause, "status", None)
    if isinstance(cause, RedirectRefused):
        return "sent on"
    if isinstance(cause, FileNotFoundError) or status in (404, 410):
        return "gone"
    if names & _NO_PERMISSION or status in (401, 403):
        return "locked"
    return "away" if names & _NO_ANSWER else "other"


def filesystem(scheme: str, seconds: float, follow: Callable[[str], bool] = lambda address: False) -> Any:
    """The fsspec file system of a scheme; no answer may take longer than `seconds`.

    `follow` decides whether a redirect of a web server to an address is allowed. Raises ServiceMissing if the package
    for the scheme is not installed.
    """
    package, extra = _PACKAGES[scheme]
    try:
        import fsspec

        importlib.import_module(package)
    except ImportError as error:
        raise ServiceMissing(f"{scheme}:// needs the package {package}: run {install_hint(extra)}.") from error
    # Without a cache of listings, so that a file that was added after the last listing is found.
    no_cache: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        # The tries of botocore alone, within the time: those of s3fs would multiply them.
        tries = {"total_max_attempts": TRIES}
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": seconds / TRIES, "retries": tries}
        system = fsspec.filesystem("s3", config_kwargs=limits, **no_cache)
        system.retries = 1
        return system
    if scheme == "gs":
        return fsspec.filesystem("gs", requests_timeout=seconds, **no_cache)
    return fsspec.filesystem("http", encoded=True, get_client=_client(seconds, follow), **no_cache)


def _client(seconds: float, follow: Callable[[str], bool]) -> Callable[..., Any]:
    import aiohttp

    async def refuse(_session: Any, _context: Any, params: Any) -> None:
        target = params.url.join(type(params.url)(params.response.headers.get("Location", "")))
        if not follow(str(target)):
            raise RedirectRefused

    async def client(**arguments: Any) -> Any:
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(refuse)
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        # trust_env: use the proxies of the machine and the logins in ~/.netrc.
        return aiohttp.ClientSession(timeout=limits, trace_configs=[trace], trust_env=True, **arguments)

    return client


SECOND = 10**9
UNKNOWN = -1


def retried(request: Callable[[], T], uri: str, seconds: float = math.inf) -> T:
    """The answer of a server, asked again with longer and longer pauses while it is busy or too slow.

    No try begins after `seconds`. Only web servers need this: the libraries of S3 and Google try again by themselves.
    """
    begin = time.monotonic()
    for number in range(1, TRIES):
        try:
            return request()
        except Exception as error:  # each library has its own; all but busy ones are raised again
            cause = error.__cause__ or error
            is_busy = getattr(cause, "status", None) in _BUSY or isinstance(cause, TimeoutError)
            # Not all at the same moment, for many may wait for one server.
            pause = PAUSE_SECONDS * 2**number * random.uniform(0.5, 1.0)
            if not (is_busy and uri.startswith("http")) or time.monotonic() + pause - begin > seconds:
                raise
        time.sleep(pause)
    return request()


def modified(info: Mapping[str, Any]) -> int:
    """The version of a file by its info from fsspec; UNKNOWN if the server sends neither a time nor an ETag."""
    seconds = next((_seconds(info[key]) for key in ("LastModified", "Last-Modified", "updated") if info.get(key)), 0)
    tag = str(info.get("ETag") or info.get("etag") or "")
    return int64(seconds * SECOND + zlib.crc32(tag.encode()) % SECOND) if seconds or tag else UNKNOWN


def _seconds(moment: Any) -> int:
    try:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment) if moment[:1].isdigit() else parsedate_to_datetime(moment)
        return max(0, int(moment.timestamp()))
    except (ValueError, AttributeError, OverflowError):
        return 0


# A request may take this share of ingest.load_seconds, after which the watchdog would end the whole process.
REQUEST_SHARE = 0.8


class RemoteFiles:
    """The files of s3://, gs:// and http(s):// that this machine may read; safe to call from many threads."""

    def __init__(self, paths: Paths, max_bytes: int, load_seconds: float) -> None:
        self._paths = paths
        self._max_bytes = max_bytes
        self._seconds = max(1.0, REQUEST_SHARE * load_seconds)
        self._systems: dict[str, Any] = {}
        self._lock = threading.Lock()

    def read(self, uri: str, reserve: Reserve = no_limit) -> Content:
        """Read a file once; raises LoadError with the reason, NotReachable if another machine may succeed."""
        place, info = self._info(uri)
        size = info["size"]
        if size is not None:
            check_bytes(size, modified(info), self._max_bytes)
        reserve(self._max_bytes if size is None else size)
        data = self._call(place, lambda: self._download(uri, place, size))
        if len(data) > self._max_bytes:
            raise LoadError("read", f"more than ingest.max_bytes = {self._max_bytes:,} bytes")
        if not data:
            raise LoadError("read", "the file is empty")
        if size is not None and len(data) != size:
            raise LoadError("read", "the file changed while it was read; ingest it again when it is at rest")
        return Content(data, hashlib.sha256(data).hexdigest(), modified(info))

    def open(self, uri: str) -> tuple[int, Callable[[], BinaryIO]]:
        """The version of a file, and a function that opens it for random access; raises as `read` does."""
        place, info = self._info(uri)
        system, path = self._system(place), _path(uri, place)
        return modified(info), lambda: cast(BinaryIO, self._call(place, lambda: system.open(path, "rb")))

    def _info(self, uri: str) -> tuple[Place, dict[str, Any]]:
        try:
            place = self._paths.allowed_place(uri)
        except NotAllowed as error:
            raise LoadError("read", str(error)) from None
        info: dict[str, Any] = self._call(place, lambda: self._system(place).info(_path(uri, place)))
        if info.get("type") == "directory":
            raise LoadError("read", "not a file but a folder")
        return place, info

    def _download(self, uri: str, place: Place, size: int | None) -> bytes:
        system, path = self._system(place), _path(uri, place)
        if size is not None and place.scheme in ("s3", "gs"):
            return bytes(system.cat_file(path, start=0, end=size))
        # A web server may send more bytes than it announced, so they are counted.
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

    def _call(self, place: Place, request: Callable[[], T]) -> T:
        try:
            # A last try that takes its whole time still ends before the watchdog.
            return retried(request, place.uri, self._seconds * (1 / REQUEST_SHARE - 1))
        except ServiceMissing as error:
            raise NotReachable(str(error).removesuffix(".")) from error
        except Exception as error:  # each library has its own, and all become a reason
            raise _load_error(place, error) from None


def _path(uri: str, place: Place) -> str:
    return uri if place.scheme in ("http", "https") else f"{place.host}/{place.path}"


def _load_error(place: Place, error: Exception) -> LoadError:
    """The error of a library as a LoadError."""
    address = f"{place.scheme}://{place.host}"
    match what_happened(error, place.scheme):
        case "gone":
            return FileGone()
        case "locked":
            return LoadError(
                "read", f"{address} gives no permission to read it, or this worker has no credentials for it"
            )
        case "sent on":
            return LoadError(
                "read", f"{address} sends on to an address that is not among the allowed roots (paths.allowed)"
            )
        case "away":
            return NotReachable(f"{address} does not answer ({type(error.__cause__ or error).__name__})")
        case "other":
            return LoadError("read", f"cannot be read ({type(error).__name__})")
