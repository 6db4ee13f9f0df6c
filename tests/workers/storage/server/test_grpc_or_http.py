"""Over which of the two ways a Qdrant server is asked: gRPC while a Qdrant answers there, else HTTP."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from grpc import StatusCode

from settings import Settings, load_settings
from settings.errors import ServiceMissing
from tests.until import until
from tests.workers.storage.server.qdrant_double import qdrant_double
from tests.workers.storage.server.recording_server import Recording, recording_server
from workers.storage.server import connection as connection_module
from workers.storage.server.connection import Connection, connect
from workers.storage.server.errors import Refused


def settings(url: str, port: int) -> Settings:
    own = load_settings()
    qdrant = own.qdrant.model_copy(update={"url": url, "grpc_port": port, "timeout": 60})
    return own.model_copy(update={"qdrant": qdrant})


@pytest.fixture
def http() -> Iterator[Recording]:
    """The same server's HTTP interface, which says yes to everything."""
    with recording_server() as recording:
        yield recording


def exists(connection: Connection) -> bool:
    return connection.call(lambda client: client.collection_exists("pictures"))


ASKED = ("GET", "/collections/pictures/exists", None)
CALL = "Collections/CollectionExists"


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def other_port() -> Iterator[int]:
    """A port of a web server."""
    with recording_server() as other:
        yield int(other.url.rsplit(":", 1)[-1])


@contextmanager
def closed_port() -> Iterator[int]:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield port


@pytest.mark.parametrize("port", [silent_port, other_port, closed_port])
def test_a_port_that_is_no_qdrants_is_left_for_http(
    http: Recording, port: Callable[[], AbstractContextManager[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "GRPC_SECONDS", 0.5)
    with port() as number:
        connection = connect(settings(http.url, number))
        assert exists(connection) is False
        connection.close()
    assert ASKED in http.requests


def test_grpc_is_given_up_when_it_stops_and_taken_again_when_it_is_back(
    http: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "GRPC_AGAIN_SECONDS", 0.0)
    with qdrant_double() as server:
        connection = connect(settings(http.url, server.port))
        assert exists(connection) is False
        assert (http.requests, server.calls[CALL]) == ([], 1)
        server.always(StatusCode.UNAVAILABLE, "proxy")
        assert exists(connection) is False
        assert (http.requests.count(ASKED), server.calls[CALL]) == (1, 2)
        # From now on HTTP is asked at once, and gRPC is looked for beside.
        assert exists(connection) is False
        assert (http.requests.count(ASKED), server.calls[CALL]) == (2, 2)
        server.recover()
        until(lambda: exists(connection) or server.calls[CALL] > 2, "gRPC to be taken again")
        connection.close()


def test_what_qdrant_itself_answers_over_grpc_is_not_asked_again_over_http(http: Recording) -> None:
    with qdrant_double() as server:
        connection = connect(settings(http.url, server.port))
        for code, words, error in (
            (StatusCode.INTERNAL, "Service internal error: No space left on device", ServiceMissing),
            (StatusCode.INVALID_ARGUMENT, "Wrong input", Refused),
            (StatusCode.UNAUTHENTICATED, "Invalid API key or JWT", ServiceMissing),
        ):
            server.always(code, words)
            with pytest.raises(error, match=words.rsplit(": ", 1)[-1]):
                exists(connection)
        connection.close()
    assert http.requests == []


def test_without_http_the_error_is_that_of_grpc_and_grpc_is_kept() -> None:
    with closed_port() as nothing, qdrant_double() as server:
        connection = connect(settings(f"http://127.0.0.1:{nothing}", server.port))
        server.always(StatusCode.UNAVAILABLE, "restarting")
        with pytest.raises(ServiceMissing, match=r"does not answer \(restarting\)"):
            exists(connection)
        server.recover()
        assert exists(connection) is False
        connection.close()


def test_a_server_that_comes_back_at_the_same_port_is_asked_over_grpc_again(
    http: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "GRPC_AGAIN_SECONDS", 0.2)
    with qdrant_double() as server:
        connection = connect(settings(http.url, server.port))
        port = server.port
    assert exists(connection) is False
    assert ASKED in http.requests
    with qdrant_double(port=port) as server:
        until(lambda: exists(connection) or server.calls[CALL], "gRPC to be taken again")
        connection.close()
