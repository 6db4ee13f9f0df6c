"""A stack with Flower and with figures for Prometheus, as other programs find it."""

import base64
import json
import socket
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import Home

LOGIN = "me:secret"


@dataclass
class Site:
    """Flower of a stack that is kept up, and what the commands of the docs printed on it, in their order."""

    home: Home
    port: int
    figures_port: int
    printed: list[dict[str, Any]]

    def get(self, path: str, login: str | None = LOGIN) -> str:
        """A page or an answer of the interface; raises HTTPError."""
        return self._ask(path, b"" if "/apply/" in path else None, login)

    def post(self, path: str, body: dict[str, Any]) -> str:
        """The answer to a call; raises HTTPError."""
        return self._ask(path, json.dumps(body).encode(), LOGIN)

    def figures(self, worker: str) -> str:
        """What a worker tells Prometheus."""
        port = self.figures_port + ("storage", "gpu0").index(worker)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    def _ask(self, path: str, body: bytes | None, login: str | None) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body)
        if login:
            request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    def tasks(self, query: str) -> list[dict[str, Any]]:
        """The tasks that Flower knows."""
        return list(json.loads(self.get(f"/api/tasks?{query}")).values())


def is_up(site: Site) -> bool:
    """True once Flower knows all the workers."""
    try:
        shown = site.get("/workers?json=1")
    except OSError:
        return False
    return all(f"{name}@" in shown for name in ("gpu0", "storage", "ingest"))


def two_free_ports() -> int:
    """The first of two TCP ports in a row that nobody listens on."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
