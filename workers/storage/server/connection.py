"""The connection to a Qdrant server: over gRPC while a Qdrant answers there, else over HTTP."""

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from qdrant_client import QdrantClient
from qdrant_client import grpc as qdrant_grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from workers.storage.server.errors import Unanswered, busy, explain

log = logging.getLogger("darkroom.storage")

T = TypeVar("T")
Request = Callable[[QdrantClient], T]
# 1.16 brought the metadata of a collection, 1.17 indexes without a graph, 1.19 filters by the beginning of a text.
LEAST_VERSION = (1, 19)
BUSY_TRIES = 5
LONGEST_PAUSE = 5.0
# gRPC answers in milliseconds where a Qdrant listens; a port of something else may never answer.
GRPC_SECONDS = 5.0
GRPC_AGAIN_SECONDS = 60.0


class Connection:
    """The calls to the server at `url`, by two clients: `over_http`, and `over_grpc` where that is wanted.

    gRPC takes batches of points twice as fast, but some servers are behind a proxy that passes only HTTP, and a port
    that accepts connections may belong to something else. So gRPC is used once a Qdrant has answered over it, until a
    call fails that HTTP can do; then it is looked for again now and then.
    """

    def __init__(self, url: str, over_http: QdrantClient, over_grpc: QdrantClient | None = None) -> None:
        self.url = url
        self._over_http = over_http
        self._over_grpc = over_grpc
        self._lock = threading.Lock()
        # None before the first look.
        self._grpc_works: bool | None = None
        self._look_again = 0.0
        if over_grpc is not None:
            self._look_for_grpc()

    def call(self, request: Request[T]) -> T:
        """What `request` returns for a client; it is repeated while the server says that it is busy.

        Raises Refused if the request is at fault, ServiceMissing with the cause for anything else.
        """
        client = self._grpc_if_it_works()
        if client is None:
            return self._try(request, self._over_http)
        try:
            return self._try(request, client)
        except Unanswered as error:
            try:
                answer = self._try(request, self._over_http)
            except ServiceMissing:
                raise error from None
            except DarkroomError:
                self._give_up_grpc(error)
                raise
            self._give_up_grpc(error)
            return answer

    def version(self) -> str:
        """The release of the server; raises ServiceMissing for one that is too old."""
        version = str(self.call(lambda client: client.info()).version)
        numbers = re.match(r"v?(\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) < LEAST_VERSION:
            least = ".".join(map(str, LEAST_VERSION))
            raise ServiceMissing(f"Qdrant at {self.url} is {version}, and Darkroom needs {least} or later: update it.")
        return version

    def close(self) -> None:
        """Close both clients."""
        for client in (self._over_http, self._over_grpc):
            if client is not None:
                client.close()

    def _try(self, request: Request[T], client: QdrantClient) -> T:
        for _ in range(BUSY_TRIES):
            try:
                return request(client)
            except ResourceExhaustedResponse as error:
                time.sleep(min(error.retry_after_s, LONGEST_PAUSE))
            except Exception as error:  # gRPC, HTTP and sockets have their own; all become a sentence
                raise explain(self.url, error) from error
        raise busy(self.url)

    def _grpc_if_it_works(self) -> QdrantClient | None:
        with self._lock:
            if self._over_grpc is not None and not self._grpc_works and time.monotonic() >= self._look_again:
                self._look_again = time.monotonic() + GRPC_AGAIN_SECONDS
                # Beside the calls: a port that is silent would hold one up for GRPC_SECONDS.
                threading.Thread(target=self._look_for_grpc, name="grpc", daemon=True).start()
            return self._over_grpc if self._grpc_works else None

    def _look_for_grpc(self) -> None:
        assert self._over_grpc is not None
        try:
            self._over_grpc.grpc_collections.List(qdrant_grpc.ListCollectionsRequest(), timeout=GRPC_SECONDS)
        except Exception as error:  # whatever it is, HTTP may do, or name the cause
            self._give_up_grpc(explain(self.url, error))
        else:
            with self._lock:
                self._grpc_works = True

    def _give_up_grpc(self, error: Exception) -> None:
        with self._lock:
            is_news, self._grpc_works = self._grpc_works is not False, False
            self._look_again = time.monotonic() + GRPC_AGAIN_SECONDS
        if is_news:
            log.warning("HTTP is used, for gRPC (qdrant.grpc_port) does not work: %s", error)


def connect(settings: Settings) -> Connection:
    """A connection to the server at `qdrant.url`.

    Raises ServiceMissing if it does not answer, refuses the key or is too old, WrongUse if `qdrant.ca` is no file of
    certificates.
    """
    qdrant = settings.qdrant
    over_grpc = _client(settings, prefer_grpc=True) if qdrant.grpc_port else None
    connection = Connection(qdrant.safe_url, _client(settings, prefer_grpc=False), over_grpc)
    try:
        connection.version()
        connection.call(lambda client: client.get_collections())  # the version is told without the key
    except BaseException:
        connection.close()
        raise
    return connection


def server_version(settings: Settings) -> str:
    """The release of the server; raises as `connect` does."""
    connection = connect(settings)
    try:
        return connection.version()
    finally:
        connection.close()


def _client(settings: Settings, prefer_grpc: bool) -> QdrantClient:
    qdrant = settings.qdrant
    options = _ca_options(qdrant.ca) if qdrant.ca else {}
    # After an outage gRPC tries again within some seconds, not minutes.
    grpc_options = {**options.pop("grpc_options", {}), "grpc.max_reconnect_backoff_ms": 5000}
    return QdrantClient(
        url=qdrant.url,
        api_key=qdrant.api_key.get_secret_value() if qdrant.api_key else None,
        timeout=qdrant.timeout,
        grpc_port=qdrant.grpc_port,
        prefer_grpc=prefer_grpc,
        grpc_options=grpc_options,
        # The client's check prints a warning for a server that is newer; `version` refuses one that is too old.
        check_compatibility=False,
        **options,
    )


def _ca_options(ca: str) -> dict[str, Any]:
    """The client's options to trust the certificate authorities in the file `ca`, over HTTP and over gRPC."""
    try:
        context = ssl.create_default_context(cafile=ca)
        return {"verify": context, "grpc_options": {"root_certificates": Path(ca).read_bytes()}}
    except OSError as error:  # ssl.SSLError, for a wrong content, is one as well
        raise WrongUse(f"qdrant.ca names {ca}, which is no file of certificates ({error.strerror or error}).") from None
