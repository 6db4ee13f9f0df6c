"""A question about the whole collection, in a process with the stack's settings: export FILE, or map FILE LIMIT."""

import json
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks.processes.ingest import resident_peak
from producer import Darkroom


def main(what: str, file: Path, *limit: str) -> None:
    """Print the points that were written, the seconds, the bytes, and the most resident memory in bytes, as JSON."""
    begin = time.perf_counter()
    with Darkroom(console=Console(stderr=True)) as darkroom:
        done = darkroom.export(file) if what == "export" else darkroom.map(file, int(*limit))
    seconds = time.perf_counter() - begin
    print(json.dumps({"points": done.points, "seconds": seconds, "bytes": done.bytes, "rss": resident_peak()}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
