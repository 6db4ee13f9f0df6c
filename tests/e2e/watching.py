"""A `watch` that runs in a process of its own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.e2e.conftest import Home, wait_until


class Watching:
    """A `watch` that runs, and what it has told so far."""

    def __init__(self, process: "subprocess.Popen[str]", out: Path) -> None:
        self.process = process
        self._out = out

    def told(self, event: str = "change") -> list[dict[str, Any]]:
        """The objects of one event, in order."""
        lines = self._out.read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [each for each in found if each["event"] == event]

    def wait_for_all(self, last: Path) -> None:
        """Wait until everything that has happened is worked off: the last file to come to rest is one that fails."""
        last.write_bytes(b"no picture")
        wait_until(lambda: any(last.as_uri() == failure["uri"] for each in self.told() for failure in each["failures"]))
        last.unlink()

    def sum(self, name: str) -> int:
        """A count over all changes."""
        return sum(change[name] for change in self.told())


@contextmanager
def watching(home: Home, folder: Path, *options: str, settle: str = "0.3") -> Iterator[Watching]:
    """A watch on a folder until the block ends; then Ctrl-C, which it must take well."""
    out = home.data.parent / f"watch-{time.monotonic_ns()}.jsonl"
    with out.open("w") as stdout, out.with_suffix(".err").open("w+") as stderr:
        command = [sys.executable, "-m", "producer", "watch", str(folder), "--json", "--settle", settle, *options]
        process = subprocess.Popen(command, cwd=ROOT, env=home.env(), stdout=stdout, stderr=stderr, text=True)
        running = Watching(process, out)
        try:
            wait_until(lambda: running.told("watching") or process.poll() is not None)
            yield running
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, out.with_suffix(".err").read_text()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
