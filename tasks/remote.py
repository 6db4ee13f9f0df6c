"""The file systems of s3://, gs:// and http(s)://, by fsspec; credentials come from the environment of each library."""

import importlib
from collections.abc import Callable
from typing import Any, Literal

from tasks.errors import ServiceMissing

CONNECT_SECONDS = 5
_PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "http": ("aiohttp", "http"), "https": ("aiohttp", "http")}

_AWAY = {"OSError", "TimeoutError", "ClientError", "BotoCoreError", "HttpError"}
_LOCKED = {"PermissionError", "NoCredentialsError", "PartialCredentialsError"}
What = Literal["gone", "locked", "sent on", "away", "other"]


class RedirectRefused(Exception):
    """A web server sends on to an address that is not allowed."""


def what_happened(error: Exception, scheme: str) -> What:
    """What the error of a library means; its own text is for nobody, for it may hold a signed address."""
    # fsspec makes "not found" of every error of a web server; what it was stands behind.
    known = error.__cause__ if scheme in ("http", "https") and isinstance(error, FileNotFoundError) else error
    known = known or error
    names = {kind.__name__ for kind in type(known).__mro__}
    status = getattr(known, "status", None)
    if isinstance(known, RedirectRefused):
        return "sent on"
    if isinstance(known, FileNotFoundError) or status in (404, 410):
        return "gone"
    if names & _LOCKED or status in (401, 403):
        return "locked"
    return "away" if names & _AWAY else "other"


def filesystem(scheme: str, seconds: float, follow: Callable[[str], bool] = lambda address: False) -> Any:
    """The fsspec file system of a scheme; no answer may take longer than `seconds`.

    `follow` says whether a web server may send on to an address, for that may lead anywhere. Raises ServiceMissing
    where the package for the scheme is not installed.
    """
    package, extra = _PACKAGES[scheme]
    try:
        import fsspec

        importlib.import_module(package)
    except ImportError as error:
        raise ServiceMissing(f"{scheme}:// needs the package {package}: pip install 'darkroom[{extra}]'.") from error
    # Listings are never kept: a file that came in after the last look must be found.
    kept: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": seconds}
        return fsspec.filesystem("s3", config_kwargs=limits, **kept)
    if scheme == "gs":
        return fsspec.filesystem("gs", requests_timeout=seconds, **kept)
    return fsspec.filesystem("http", encoded=True, get_client=_client(seconds, follow), **kept)


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
        # trust_env: the machine's proxies, and logins from ~/.netrc.
        return aiohttp.ClientSession(timeout=limits, trace_configs=[trace], trust_env=True, **arguments)

    return client
