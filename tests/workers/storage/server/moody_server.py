"""A web server in the place of Qdrant: it knows one empty collection, writes nothing, and answers by its mood."""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from workers.storage.catalog import INDEXES


class MoodyServer:
    """`mood` is the status of every answer, or says it for the body of a request; `words` are what an error says.

    "slow" answers only once the mood is another one, "strange" as no Qdrant does, and "closed" hangs up without an
    answer.
    """

    def __init__(self, dim: int, clip_model: str) -> None:
        self.mood: int | str | Callable[[bytes], int] = 200
        self.words = "because"
        own = self
        collection = _collection(dim, clip_model)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                mood = own.mood(sent) if callable(own.mood) else own.mood
                if mood == "closed":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                while mood == own.mood == "slow":
                    time.sleep(0.02)
                status = mood if isinstance(mood, int) else 200
                result: Any = {"operation_id": 1, "status": "completed"}
                if self.command == "GET":
                    result = {"exists": True} if self.path.endswith("/exists") else collection
                said = "ok" if status == 200 else {"error": own.words}
                body = json.dumps({"result": result, "status": said, "time": 0.0}).encode()
                if mood == "strange":
                    body = b'{"result": "Welcome!"}'
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if status == 429:
                    self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_POST = do_GET

            def log_message(self, *_: object) -> None: ...

        self._web = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._web.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._web.serve_forever).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.shutdown()
        self._web.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that has given up waiting is what the tests are about."""


def _collection(dim: int, clip_model: str) -> dict[str, Any]:
    # Words are keywords to the server.
    kinds = {
        field: {"data_type": "keyword" if kind == "words" else kind, "points": 0} for field, kind in INDEXES.items()
    }
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "points_count": 0,
        "config": {
            "params": {"vectors": {"size": dim, "distance": "Cosine"}},
            "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
            "optimizer_config": {
                "deleted_threshold": 0.2,
                "vacuum_min_vector_number": 1000,
                "default_segment_number": 0,
                "flush_interval_sec": 5,
            },
            "metadata": {"clip_model": clip_model},
        },
        "payload_schema": kinds,
    }
