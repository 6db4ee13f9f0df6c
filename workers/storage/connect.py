"""The connection to a Qdrant server, and what its errors mean to a person."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from settings import Settings
from tasks.errors import DarkroomError, ServiceMissing, WrongUse

T = TypeVar("T")
GRPC_PORT = 6334
BUSY_TRIES = 5


def connect(settings: Settings) -> QdrantClient:
    """A client of the server at `qdrant.url`, over gRPC where its port 6334 takes connections, else over HTTP.

    Raises ServiceMissing where the server does not answer, WrongUse where it refuses the key.
    """
    key = settings.qdrant.api_key
    client = QdrantClient(
        url=settings.qdrant.url,
        api_key=key.get_secret_value() if key else None,
        timeout=settings.qdrant.timeout,
        grpc_port=GRPC_PORT,
        # gRPC takes batches of points twice as fast, but some servers stand behind a proxy that passes HTTP alone.
        prefer_grpc=_listens(urlsplit(settings.qdrant.url).hostname or "", GRPC_PORT),
        # The check prints a warning where a sentence is due; the call below asks the same.
        check_compatibility=False,
    )
    try:
        answer(settings.qdrant.safe_url, client.get_collections)
    except BaseException:
        client.close()
        raise
    return client


def answer(url: str, ask: Callable[[], T]) -> T:
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
