"""An S3 server as a process of its own (moto's), and a small web server; both end with the block."""

import functools
import http.server
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from tests.until import until

SECRET = "s3-pa55word"


class Bucket:
    """A bucket on an S3 server, and the environment by which every S3 library finds it."""

    def __init__(self, name: str, port: int, log: Path) -> None:
        self.name = name
        self.env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }
        self._url = f"http://127.0.0.1:{port}/{name}"
        self._log = log

    def listings(self) -> int:
        """How many pages of listings the server was asked for."""
        return self._log.read_text().count("list-type=2")

    def create(self) -> None:
        """Make the bucket."""
        self._send("PUT", "")

    def put(self, key: str, data: bytes) -> None:
        """Store an object, replacing what has the key; the key is percent-encoded."""
        self._send("PUT", f"/{key}", data)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._send("DELETE", f"/{key}")

    def _send(self, method: str, path: str, data: bytes | None = None) -> None:
        # Signed by nobody: the server believes every name, and its bucket is of this test alone.
        login = "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request"
        headers = {"Authorization": login, "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()


@contextmanager
def s3_server(folder: Path, port: int) -> Iterator[Bucket]:
    """A bucket on a server of its own that listens on `port`."""
    with (folder / "s3.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    bucket = Bucket("pictures", port, folder / "s3.log")

    def is_up() -> bool:
        assert server.poll() is None, (folder / "s3.log").read_text()
        try:
            bucket.create()
        except (urllib.error.URLError, OSError):
            return False
        return True

    try:
        until(is_up, "the S3 server to answer")
        yield bucket
    finally:
        server.terminate()
        server.wait()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `/moved/...` is sent on to `/...`, and `/closed/...` is for nobody.

    `/busy/N/...` is `/...`, but the first N requests for it are answered by 503; `asked` counts them all by the path.
    """

    asked: ClassVar[Counter[str]] = Counter()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def send_head(self):  # type: ignore[no-untyped-def]  # as the library has it
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
            return None
        if self.path.startswith("/closed/"):
            self.send_error(403)
            return None
        if self.path.startswith("/busy/"):
            self.asked[self.path] += 1
            _, _, times, name = self.path.split("/", 3)
            if self.asked[self.path] <= int(times):
                self.send_error(503)
                return None
            self.path = f"/{name}"
        return super().send_head()


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """The address of a web server that serves `folder`; what is behind `/busy/` is busy anew for each."""
    _Quiet.asked.clear()
    handler = functools.partial(_Quiet, directory=os.fspath(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
