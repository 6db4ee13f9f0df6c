"""The connection to a Qdrant server, and what its errors mean to a person."""

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
    """A client of the server at `qdrant.url`, over gRPC where `qdrant.grpc_port` takes connections, else over HTTP.

    Raises ServiceMissing where the server does not answer, WrongUse where it refuses the key or `qdrant.ca` is no file
    of certificates.
    """
    own = settings.qdrant
    key, port = own.api_key, own.grpc_port
    client = QdrantClient(
        url=own.url,
        api_key=key.get_secret_value() if key else None,
        timeout=own.timeout,
        grpc_port=port,
        # gRPC takes batches of points twice as fast, but some servers stand behind a proxy that passes HTTP alone.
        prefer_grpc=port > 0 and _listens(urlsplit(own.url).hostname or "", port),
        # The check prints a warning where a sentence is due; the call below asks the same.
        check_compatibility=False,
        **(_trusting(own.ca) if own.ca else {}),
    )
    try:
        call(settings.qdrant.safe_url, client.get_collections)
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


def _trusting(ca: str) -> dict[str, Any]:
    """The client's options to trust whom the certificates in the file `ca` sign for, over HTTP and over gRPC."""
    try:
        context = ssl.create_default_context(cafile=ca)
        return {"verify": context, "grpc_options": {"root_certificates": Path(ca).read_bytes()}}
    except OSError as error:  # what ssl raises over the content is one as well
        raise WrongUse(f"qdrant.ca names {ca}, which is no file of certificates ({error.strerror or error}).") from None


def call(url: str, ask: Callable[[], T]) -> T:
    """What `ask()` returns, tried again while the server at `url` says that it is busy.

    Raises ServiceMissing where the server is away, WrongUse where it refuses the key, DarkroomError for other refusals.
    """
    for _ in range(BUSY_TRIES):
        try:
            return ask()
        except ResourceExhaustedResponse as busy:
            time.sleep(min(busy.retry_after_s, 60))
        except ResponseHandlingException as error:
            raise _away(url, str(error.source)) from error
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise _refused(url) from error
            if error.status_code is None or error.status_code == 429 or error.status_code >= 500:
                raise _away(url, error.reason_phrase) from error
            raise DarkroomError(f"Qdrant at {url} refused a request: {error.content[:300]!r}.") from error
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
                raise _refused(url) from error
            if code in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                grpc.StatusCode.CANCELLED,
            ):
                raise _away(url, details) from error
            raise DarkroomError(f"Qdrant at {url} refused a request: {details}.") from error
    raise _away(url, "it says again and again that it is busy")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def _away(url: str, reason: str) -> ServiceMissing:
    return ServiceMissing(f"Qdrant at {url} does not answer ({reason}): start it or set qdrant.url.")


def _refused(url: str) -> WrongUse:
    return WrongUse(f"Qdrant at {url} refuses the key: set qdrant.api_key (best as DARKROOM__QDRANT__API_KEY).")
