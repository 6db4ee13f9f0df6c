"""The connection to a Qdrant server, and its errors as sentences."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse

T = TypeVar("T")
BUSY_TRIES = 5


def connect(settings: Settings) -> QdrantClient:
    """A client of the server at `qdrant.url`, over gRPC if `qdrant.grpc_port` accepts connections, else over HTTP.

    Raises ServiceMissing if the server does not answer, WrongUse if it refuses the key or `qdrant.ca` is no file of
    certificates.
    """
    qdrant = settings.qdrant
    key, port = qdrant.api_key, qdrant.grpc_port
    client = QdrantClient(
        url=qdrant.url,
        api_key=key.get_secret_value() if key else None,
        timeout=qdrant.timeout,
        grpc_port=port,
        # gRPC takes batches of points twice as fast, but some servers are behind a proxy that passes only HTTP.
        prefer_grpc=port > 0 and _accepts_connections(urlsplit(qdrant.url).hostname or "", port),
        # The client's check would print a warning; the request below raises an error instead.
        check_compatibility=False,
        **(_ca_options(qdrant.ca) if qdrant.ca else {}),
    )
    try:
        call(qdrant.safe_url, client.get_collections)
    except BaseException:
        client.close()
        raise
    return client


def server_version(settings: Settings) -> str:
    """The release of the server; raises as `connect` does."""
    client = connect(settings)
    try:
        return str(call(settings.qdrant.safe_url, client.info).version)
    finally:
        client.close()


def _ca_options(ca: str) -> dict[str, Any]:
    """The client's options to trust the certificate authorities in the file `ca`, over HTTP and over gRPC."""
    try:
        context = ssl.create_default_context(cafile=ca)
        return {"verify": context, "grpc_options": {"root_certificates": Path(ca).read_bytes()}}
    except OSError as error:  # ssl.SSLError, for a wrong content, is one as well
        raise WrongUse(f"qdrant.ca names {ca}, which is no file of certificates ({error.strerror or error}).") from None


def call(url: str, request: Callable[[], T]) -> T:
    """What `request()` returns; it is repeated while the server at `url` says that it is busy.

    Raises ServiceMissing if the server does not answer, WrongUse if it refuses the key, DarkroomError for other errors.
    """
    for _ in range(BUSY_TRIES):
        try:
            return request()
        except ResourceExhaustedResponse as busy:
            time.sleep(min(busy.retry_after_s, 60))
        except ResponseHandlingException as error:
            raise _no_answer(url, str(error.source)) from error
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise _key_refused(url) from error
            if error.status_code is None or error.status_code == 429 or error.status_code >= 500:
                raise _no_answer(url, error.reason_phrase) from error
            raise DarkroomError(f"Qdrant at {url} refused a request: {error.content[:300]!r}.") from error
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
                raise _key_refused(url) from error
            if code in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                grpc.StatusCode.CANCELLED,
            ):
                raise _no_answer(url, details) from error
            raise DarkroomError(f"Qdrant at {url} refused a request: {details}.") from error
    raise _no_answer(url, "it says again and again that it is busy")


def _accepts_connections(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def _no_answer(url: str, reason: str) -> ServiceMissing:
    return ServiceMissing(f"Qdrant at {url} does not answer ({reason}): start it or set qdrant.url.")


def _key_refused(url: str) -> WrongUse:
    return WrongUse(f"Qdrant at {url} refuses the key: set qdrant.api_key (best as DARKROOM__QDRANT__API_KEY).")
