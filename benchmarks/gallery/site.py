"""A server of the gallery in front of a stack of a benchmark, and clients that ask it."""

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from benchmarks.bench_stack import ROOT, START_SECONDS, Bench, free_port

SECONDS = 120.0


class Client:
    """One client with one connection, as a browser or a program keeps it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def get(self, path: str) -> bytes:
        """The body of an answer; raises RuntimeError for any but 200."""
        self._connection.request("GET", path)
        return self._answer(path)

    def post(self, path: str, content: bytes) -> bytes:
        """The same for a request with JSON, which is written already."""
        self._connection.request("POST", path, content, {"Content-Type": "application/json"})
        return self._answer(path)

    def _answer(self, path: str) -> bytes:
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answers with {answer.status}: {body[:200]!r}")
        return body


@contextmanager
def served(stack: Bench) -> Iterator[int]:
    """The port of a server on this stack, which limits nobody's rate."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "web", "--port", str(port)],
        cwd=ROOT,
        env=stack.env | {"DARKROOM__WEB__REQUESTS": "1000000000"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                Client(port).get("/readyz")
                break
            except (OSError, RuntimeError):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def milliseconds(work: Callable[[], object]) -> float:
    """How long it takes, by the clock."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def together(port: int, clients: int, turns: int, ask: Callable[[Client, int], object]) -> list[float]:
    """Milliseconds of every one of `turns` requests, asked by so many clients at the same time, each in turn."""

    def one(number: int) -> list[float]:
        client = Client(port)
        return [milliseconds(partial(ask, client, turn)) for turn in range(number, turns, clients)]

    with ThreadPoolExecutor(clients) as pool:
        return [taken for each in pool.map(one, range(clients)) for taken in each]
