"""A service with an OpenAI-compatible interface, as vLLM and Ollama have one; its captions tell what it was sent."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

MODEL = "small-vl:2b"


@dataclass
class Service:
    """The service at `url`; it gives the next of `troubles`, statuses of HTTP, before it answers."""

    url: str = ""
    key: str = ""
    troubles: list[int] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    # The pictures that come together wait here for each other, where there are some to wait for.
    together: threading.Barrier | None = None


@contextmanager
def service(key: str = "") -> Iterator[Service]:
    """The service, up for as long as the block lasts."""
    state, lock = Service(key=key), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"data": [{"id": MODEL}]} if self.path == "/v1/models" else None)

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                state.asked.append(request)
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
            if state.together is not None:
                state.together.wait(timeout=30)
            text, picture = (part for part in request["messages"][0]["content"])
            data = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
            with Image.open(io.BytesIO(data)) as image:
                red = image.getpixel((0, 0))[0]  # type: ignore[index]  # of an RGB picture it is a tuple
            with lock:
                state.at_once -= 1
            if state.troubles:
                self.send_response(state.troubles.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.answer({"choices": [{"message": {"content": f" {text['text']}\n{round(red, -1)} "}}]})

        def answer(self, body: Any) -> None:
            allowed = not state.key or self.headers.get("Authorization") == f"Bearer {state.key}"
            data = json.dumps(body).encode()
            self.send_response(401 if not allowed else 404 if body is None else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing among the tests' own lines."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()
