"""A small Hugging Face hub: serves folders as repositories, and can be slow or break off."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def answer(repositories: dict[str, Path], path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a path of the hub."""
    for name, folder in repositories.items():
        files = sorted(file.name for file in folder.iterdir())
        if path in (f"/api/models/{name}", f"/api/models/{name}/revision/main"):
            return _json({"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]})
        if path == f"/api/models/{name}/tree/{COMMIT}":
            return _json([_entry(folder / file) for file in files])
        for revision in ("main", COMMIT):
            file = folder / path.removeprefix(f"/{name}/resolve/{revision}/")
            if path == f"/{name}/resolve/{revision}/{file.name}":
                if not file.is_file():
                    return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
                return 200, {"ETag": f'"{_entry(file)["oid"]}"', "X-Repo-Commit": COMMIT}, file.read_bytes()
    return 404, {"X-Error-Code": "RepoNotFound"}, b""


def _entry(file: Path) -> dict[str, Any]:
    size = file.stat().st_size
    return {"type": "file", "path": file.name, "size": size, "oid": f"{abs(hash((file.name, size))):040x}"}


def _json(value: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


@contextmanager
def hub(repositories: dict[str, Path]) -> Iterator[str]:
    """The address of a hub with these repositories, while it runs."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(repositories, urlsplit(self.path).path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing among the tests' own lines."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
