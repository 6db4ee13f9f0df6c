"""A Qdrant server that is away, refuses the key or is busy: each ends in one sentence and never in a traceback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient

from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from settings.sections import Qdrant
from workers.storage.server.connection import call, connect
from workers.storage.state import open_catalog


@contextmanager
def server(*answers: int) -> Iterator[str]:
    """A web server that gives these statuses one after the other, and the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = left.pop(0) if len(left) > 1 else left[0]
            body = json.dumps({"result": {"collections": []}, "status": "ok", "time": 0.0}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        web.server_close()


def settings(url: str, key: str | None = None) -> Settings:
    """Settings with this server."""
    return Settings(qdrant=Qdrant(url=url, api_key=SecretStr(key) if key else None, timeout=5))


def free_url() -> str:
    """The address of a server that has just gone."""
    with server(200) as url:
        return url


def test_a_server_that_is_away_is_named() -> None:
    url = free_url()
    with pytest.raises(ServiceMissing, match=rf"{url} does not answer.*qdrant\.url"):
        open_catalog(settings(url))


def test_a_password_in_the_url_is_not_shown() -> None:
    url = free_url().replace("http://", "http://user:geheim@")
    with pytest.raises(ServiceMissing) as caught:
        open_catalog(settings(url))
    assert "geheim" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_refused_key_is_named_without_being_shown() -> None:
    with server(401) as url, pytest.raises(WrongUse, match=r"qdrant\.api_key") as caught:
        connect(settings(url, "geheim"))
    assert "geheim" not in str(caught.value)


def test_a_busy_server_is_asked_again() -> None:
    with server(429, 429, 200) as url:
        connect(settings(url)).close()


def test_a_server_that_stays_busy_or_fails_counts_as_away() -> None:
    with server(429) as url, pytest.raises(ServiceMissing, match="busy"):
        connect(settings(url))
    with server(503) as url, pytest.raises(ServiceMissing, match="does not answer"):
        connect(settings(url))


def test_any_other_refusal_is_told_as_it_is() -> None:
    with server(400) as url, pytest.raises(DarkroomError, match="refused a request"):
        connect(settings(url))


def test_grpc_errors_mean_the_same() -> None:
    client = QdrantClient(url=free_url(), prefer_grpc=True, grpc_port=1, timeout=5, check_compatibility=False)
    with pytest.raises(ServiceMissing, match="http://db:6333 does not answer"):
        call("http://db:6333", client.get_collections)
    client.close()


class Refusal(grpc.RpcError):
    """The error of a call that a server answered with `status`."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self.status = status

    def code(self) -> grpc.StatusCode:
        """As grpc's own errors have it."""
        return self.status

    def details(self) -> str:
        """As grpc's own errors have it."""
        return "because"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, WrongUse),
        (grpc.StatusCode.PERMISSION_DENIED, WrongUse),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ServiceMissing),
        (grpc.StatusCode.INVALID_ARGUMENT, DarkroomError),
    ],
)
def test_each_grpc_status_has_its_sentence(status: grpc.StatusCode, expected: type[DarkroomError]) -> None:
    def refuse() -> None:
        raise Refusal(status)

    with pytest.raises(expected) as caught:
        call("http://db:6333", refuse)
    assert type(caught.value) is expected
