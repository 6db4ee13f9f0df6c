"""producer_rss_mb and redis_mb: what a job of a million files needs; rss_growth: whether anything grows with the files.

The million files have made-up names. The producer and Redis are the real ones, and so is the storage worker, which says
for each that it is not known; in the place of the GPU workers stands a process that ticks every file in the ledger.
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench_stack import ROOT, Bench, kept_up
from benchmarks.harness import Figure, measured
from benchmarks.material import make_new, tiny_pictures

NULL = {"MODELS__CLIP": "null", "MODELS__CAPTIONS": "false"}
FEW, MANY = 2000, 20_000
MEGABYTE = 1e6


def producer_rss_mb(scratch: Path, quick: bool) -> list[Figure]:
    """The most memory that the producer and Redis take for one job of a million files, one file a task."""
    count = 5000 if quick else 1_000_000
    with kept_up(scratch, **NULL) as stack:
        worker = stack.children()["gpu0"]
        # It holds no message; what it waits for at Redis ends within its second.
        worker.suspend()
        time.sleep(1.5)
        taker = subprocess.Popen([sys.executable, "-m", "benchmarks.processes.acknowledge"], cwd=ROOT, env=stack.env)
        try:
            found = stack.python("benchmarks.processes.million", str(count))
            memory = stack.redis().info("memory")
        finally:
            taker.terminate()
            taker.wait()
            worker.resume()
    if found["stored"] != count:
        raise RuntimeError(f"{found['stored']} of {count} files were ticked")
    detail = {"files": count, "seconds": found["seconds"]}
    return [
        measured("producer_rss_mb", [found["rss"] / MEGABYTE], "MB", goal=200, at_most=True, detail=detail),
        measured("redis_mb", [memory["used_memory_peak"] / MEGABYTE], "MB", goal=100, at_most=True, detail=detail),
    ]


def rss_growth(scratch: Path, quick: bool) -> list[Figure]:
    """The memory of each process after MANY files over that after FEW: 1.00 is flat.

    The storage worker has a figure of its own, for the embedded engine keeps the collection's indexes in that process:
    what it grows by is the collection, and the detail says how much that is for a point.
    """
    few, many = (200, 600) if quick else (FEW, MANY)
    with kept_up(scratch, **NULL) as stack:
        before = grown(stack, scratch, few)
        after = grown(stack, scratch, many - few)
    ratios = {name: after[name] / before[name] for name in after}
    rows: list[list[str]] = [["process", f"after {few:,} files, MB", f"after {many:,} files, MB", "ratio"]]
    rows += [
        [name, f"{before[name] / MEGABYTE:.1f}", f"{after[name] / MEGABYTE:.1f}", f"{ratio:.3f}"]
        for name, ratio in ratios.items()
    ]
    for_a_point = {"bytes_a_point": round((after["storage"] - before["storage"]) / (many - few))}
    worst = max(ratios["gpu0"], ratios["producer"])
    return [
        measured("rss_growth", [worst], "x", goal=1.1, at_most=True, detail={"table": rows}),
        measured("storage_rss_growth", [ratios["storage"]], "x", goal=1.1, at_most=True, detail=for_a_point),
    ]


def grown(stack: Bench, scratch: Path, count: int) -> dict[str, int]:
    """Resident bytes of the workers, and the most of the producer, after an ingest of `count` more new files."""
    folder = scratch / f"pictures-{time.monotonic_ns()}"
    make_new(tiny_pictures(folder, count))
    found = stack.python("benchmarks.processes.ingest", str(folder))
    if found["stored"] != count:
        raise RuntimeError(f"{found['stored']} of {count} files were stored")
    workers = {name: stack.children()[name].memory_info().rss for name in ("gpu0", "storage")}
    return workers | {"producer": found["rss"]}
