"""A Qdrant server that is away, too old, busy or refuses the key: each ends in one sentence, never in a traceback."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from settings import Settings
from settings.errors import ServiceMissing
from settings.sections import Qdrant
from tests.conftest import ROOT
from workers.storage.server.connection import connect, server_version
from workers.storage.server.errors import Refused
from workers.storage.state import open_catalog


@contextmanager
def server(*answers: int, version: str = "1.20.0") -> Iterator[str]:
    """A web server that gives these statuses one after the other, and the last one for ever.

    Its version it tells everybody, as Qdrant does.
    """
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_root = self.path == "/"
            status = 200 if is_root else left.pop(0) if len(left) > 1 else left[0]
            answer = {"result": {"collections": []}, "status": "ok", "time": 0.0}
            body = json.dumps({"title": "qdrant", "version": version} if is_root else answer).encode()
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
    return Settings(qdrant=Qdrant(url=url, api_key=SecretStr(key) if key else None, timeout=5, grpc_port=0))


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
    with server(401) as url, pytest.raises(ServiceMissing, match=r"qdrant\.api_key") as caught:
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
    with server(400) as url, pytest.raises(Refused, match="refused a request"):
        connect(settings(url))


@pytest.mark.parametrize("version", ["1.18.3", "0.11.0", "v1.9.1"])
def test_a_server_that_is_too_old_is_told_so(version: str) -> None:
    with server(200, version=version) as url, pytest.raises(ServiceMissing) as caught:
        connect(settings(url))
    assert str(caught.value) == f"Qdrant at {url} is {version}, and Darkroom needs 1.19 or later: update it."


@pytest.mark.parametrize("version", ["1.19.0", "1.20.1-dev", "2.0.0", "main"])
def test_a_server_that_is_newer_or_says_no_number_is_taken(version: str) -> None:
    with server(200, version=version) as url:
        connect(settings(url)).close()
        assert server_version(settings(url)) == version


def test_a_storage_worker_ends_in_that_sentence(tmp_path: Path, redis_process: str) -> None:
    with server(200, version="1.15.4") as url:
        env = {**os.environ, "DARKROOM__DATA__DIR": str(tmp_path), "DARKROOM__QDRANT__URL": url}
        env |= {"DARKROOM__QDRANT__GRPC_PORT": "0"}
        command = [sys.executable, "-m", "workers", "storage", "--one"]
        ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False), ended.stderr
    assert f"Qdrant at {url} is 1.15.4, and Darkroom needs 1.19 or later: update it." in ended.stderr
