"""A web server in the place of Qdrant's HTTP interface: it notes what it is sent, and says yes to everything."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Recording:
    """Where it listens, and what came: (method, path, JSON or None), and the keys that were shown."""

    url: str = ""
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)

    def sent(self, method: str, path: str) -> Any:
        """The JSON of the one request of this kind."""
        (body,) = [body for seen, where, body in self.requests if (seen, where) == (method, path)]
        return body


@contextmanager
def recording_server(tls: ssl.SSLContext | None = None) -> Iterator[Recording]:
    """The server, over https where it gets a certificate."""
    recording = Recording()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            recording.requests.append((self.command, path, json.loads(body) if body else None))
            recording.keys.add(self.headers.get("api-key"))
            found: Any = {"title": "qdrant", "version": "1.99.0"} if path == "/" else _result(path)
            data = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = _answer

        def log_message(self, *_: object) -> None: ...

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        web.socket = tls.wrap_socket(web.socket, server_side=True)
    recording.url = f"http{'s' if tls else ''}://localhost:{web.server_port}"
    threading.Thread(target=web.serve_forever).start()
    try:
        yield recording
    finally:
        web.shutdown()
        web.server_close()


def _result(path: str) -> dict[str, Any]:
    result: Any = {"exists": False} if path.endswith("/exists") else True
    if path == "/collections":
        result = {"collections": []}
    if path.endswith("/query"):
        result = {"points": []}
    return {"result": result, "status": "ok", "time": 0.0}
