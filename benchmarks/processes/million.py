"""The producer of producer_rss_mb, in a process with the stack's settings: COUNT files with made-up names."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.processes.ingest import resident_peak
from benchmarks.throughput import made_up
from producer.ingest.interrupts import Interrupts
from producer.ingest.run import IngestRun
from producer.ingest.sources.exclusion import PassedOver
from producer.ingest.sources.roots import Source
from producer.ingest.sources.scan import FileRef
from producer.stack import attached
from settings import load_settings


def main(count: int) -> None:
    """Run the job and print what was ticked, the seconds, and the most resident memory in bytes, as JSON."""

    def files() -> Iterator[FileRef]:
        return (entry.file for entry in made_up(range(count)))

    source = Source(Path("/srv/photos"), files, PassedOver(), lambda: sum(1 for _ in files()))
    settings = load_settings()
    begin = time.monotonic()
    with attached(settings) as stack, stack.working(), Interrupts() as interrupts:
        outcome = IngestRun([source], settings, Console(stderr=True), stack, interrupts, begin).run()
    print(json.dumps({"stored": outcome.counts.stored, "seconds": round(outcome.seconds, 1), "rss": resident_peak()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
