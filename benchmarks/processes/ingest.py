"""`ingest FOLDER` in a process with the stack's settings that also says how much memory it took."""

import json
import resource
import sys
from pathlib import Path

from rich.console import Console

from producer import Darkroom


def resident_peak(pid: int | None = None) -> int:
    """The most bytes of memory that this program had; on Linux also that of another process."""
    status = Path(f"/proc/{pid or 'self'}/status")
    if status.exists():
        # getrusage counts in what it was before it became this program: a copy of the benchmark with its models.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main(folder: str) -> None:
    """Print the counts and the most resident memory in bytes as JSON."""
    with Darkroom(console=Console(stderr=True)) as darkroom:
        outcome = darkroom.ingest(folder)
        print(json.dumps({"stored": outcome.counts.stored, "seconds": outcome.seconds, "rss": resident_peak()}))


if __name__ == "__main__":
    main(sys.argv[1])
