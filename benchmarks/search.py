"""search_p50_ms: a search by words among a hundred thousand points while an ingest runs, from question to answer.

Both questions of a search are timed together: the words to a GPU worker, its embedding to the storage worker. The GPU
worker has the null model (512 numbers, 32 pictures in 320 ms) and is full of files all the while; points are random.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure
from benchmarks.material import tiny_pictures
from benchmarks.stack import ROOT, Bench, kept_up

SIZES = (1000, 10_000, 100_000)
SEARCHES = 150
INGESTED = 6000  # a minute at the null model's rate


def search_p50_ms(scratch: Path, quick: bool) -> list[Figure]:
    """Median milliseconds at the largest size; the table has each size, at rest and beside an ingest."""
    settings = {"MODELS__CLIP": "null:10:512", "MODELS__CAPTIONS": "false"}
    rows = [["points", "beside", "p50, ms", "p99, ms", "of it embedding, p50", "of it the search, p50"]]
    sizes = SIZES[:1] if quick else SIZES
    searches = 20 if quick else SEARCHES
    tiny_pictures(scratch / "pictures", 2000 if quick else INGESTED)
    held = 0
    with kept_up(scratch, **settings) as stack:
        for size in sizes:
            held = stack.python("benchmarks.fill_process", str(held), str(size))["points"]
            found = stack.python("benchmarks.search_process", str(searches))
            rows.append(_row(size, "nothing", found))
        # Beside the ingest only once, at the largest: it adds points of its own.
        found = _beside_an_ingest(stack, scratch / "pictures", searches)
        rows.append(_row(sizes[-1], "an ingest", found))
    figure = Figure(
        "search_p50_ms", found["p50"], found["least"], found["p99"], "ms", goal=50, at_most=True, detail={"table": rows}
    )
    return [figure]


def _beside_an_ingest(stack: Bench, folder: Path, searches: int) -> dict[str, Any]:
    ingest = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_process", str(folder)],
        cwd=ROOT, env=stack.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        stack.wait_until_busy()
        found = stack.python("benchmarks.search_process", str(searches))
        if ingest.poll() is not None:
            raise RuntimeError("the ingest ended before the searches did: these figures say nothing")
    finally:
        ingest.kill()
        ingest.wait()
    return found


def _row(size: int, beside: str, found: dict[str, Any]) -> list[str]:
    parts = (found[name] for name in ("p50", "p99", "embed_p50", "nearest_p50"))
    return [f"{size:,}", beside, *(f"{milliseconds:.1f}" for milliseconds in parts)]
