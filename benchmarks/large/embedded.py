"""edge_700k: a collection of 700,000 and of 1,000,000 points in the embedded catalog, with no search graph.

The points are made up and written by the catalog itself. The table of the sizes is in processor time, so that a busy
machine changes little. By the clock are the commands that a person types, beside a stack that is kept up, and how long
an ingest stands still at most.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.bench_stack import ROOT, Bench, kept_up
from benchmarks.figures.bounds import at_most, require_count
from benchmarks.harness import Figure, measured
from benchmarks.large.made_up import DIM, MODEL, NIKON, batches, catalog_of, noise
from benchmarks.material import tiny_pictures
from pictures.uris import point_id
from tasks.checkpoint import checkpoint_name
from tasks.ledger import Ledger, jobs
from workers.storage.embedded.catalog import EdgeCatalog

SIZES, QUICK_SIZES = (100_000, 300_000, 700_000, 1_000_000), (1000, 2000)
SEARCHES = 50
INGESTED = 20_000  # more than the points between two flushes
COMMANDS = {
    "search by words": ("search", "a red bicycle"),
    "search by words, one camera": ("search", "a red bicycle", "--where", "camera=NIKON Z 8"),
    "search by facts, a pattern": ("search", "--where", "camera=nikon*"),
    "stats": ("stats",),
    "duplicates": ("duplicates", "-n", "5"),
    "status": ("status",),
}


def edge_700k(scratch: Path, quick: bool) -> list[Figure]:
    """p95 of one-shot searches at 700,000 points; a table of what each size costs, and one of the commands."""
    sizes = QUICK_SIZES if quick else SIZES
    searches = 3 if quick else SEARCHES
    tiny_pictures(scratch / "pictures", 300 if quick else INGESTED)
    rows = [["points", "longest write, s", "open, s", "close, s", "memory, MB", *_QUESTIONS]]
    settings = {"MODELS__CLIP": MODEL, "MODELS__CAPTIONS": "false", "INGEST__FILES_PER_TASK": "32"}
    taken: list[float | None] = []
    commands: dict[str, float | None] = {}
    pause, held = 0.0, 0
    for size in sizes:
        rows.append([f"{size:,}", *_alone(_fill, scratch, held, size), *_alone(_ask, scratch, size)])
        print(*rows[-1], sep="  ", file=sys.stderr)  # it takes a while until the next ones
        held = size
        if size == sizes[-2]:
            with kept_up(scratch, **settings) as stack:
                taken = [_run(stack, "search", f"a search of its own, number {turn}") for turn in range(searches)]
                pause = _longest_pause(stack, scratch / "pictures")
            commands[f"{size:,} points, no stack up: search by words"] = _run(stack, "search", "a red bicycle")
    with kept_up(scratch, **settings) as stack:
        for name, arguments in COMMANDS.items():
            commands[f"{sizes[-1]:,} points, stack up: {name}"] = _run(stack, *arguments)
    answered = [seconds for seconds in taken if seconds is not None] or [float("inf")]
    slowest = [seconds for seconds in commands.values() if seconds is not None] or [float("inf")]
    told = [["command", "s"], *([name, "failed" if s is None else f"{s:.2f}"] for name, s in commands.items())]
    p95 = float(np.percentile(answered, 95))
    failed, unanswered = taken.count(None), list(commands.values()).count(None)
    return [
        Figure("edge_700k", p95, min(answered), max(answered), "s", at_most(1.5, floor=5), detail={"table": rows}),
        measured("edge_700k_failed", [failed], f"of {searches} searches", goal=at_most(0, floor=0)),
        measured("edge_700k_pause_s", [pause], "s", goal=at_most(2, floor=6)),
        measured("edge_1m_failed", [unanswered], f"of {len(commands)} commands", goal=at_most(0, floor=0)),
        measured("edge_1m_commands", slowest, "s", detail={"table": told}),
    ]


def _alone(work: Callable[..., list[str]], *arguments: Any) -> list[str]:
    """Run `work` in a process of its own, whose memory is that of the catalog and of nothing before it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


# Each is one call of the catalog, which holds the GIL of the storage worker from its beginning to its end.
_QUESTIONS: dict[str, Callable[[EdgeCatalog, Any], object]] = {
    "search, ms": lambda catalog, vector: catalog.search(vector, 10),
    "search, one camera, ms": lambda catalog, vector: catalog.search(vector, 10, NIKON),
    "facet of cameras, ms": lambda catalog, _: catalog.facet("camera"),
    "count, ms": lambda catalog, _: catalog.count(),
    "count, one camera, ms": lambda catalog, _: catalog.count(NIKON),
    "page of 1,000, ms": lambda catalog, _: catalog.scroll(NIKON, 1000, point_id("in the middle")),
}


def _fill(scratch: Path, held: int, points: int) -> list[str]:
    """Write the points from number `held` on; the column "longest write, s": that of a batch, with its flush."""
    catalog = catalog_of(scratch)
    catalog.ensure(DIM, checkpoint_name(MODEL))
    longest = 0.0
    for batch in batches(held, points, noise):
        begin = time.process_time()
        catalog.upsert(batch)
        longest = max(longest, time.process_time() - begin)
    catalog.close()
    return [f"{longest:.2f}"]


def _ask(scratch: Path, size: int) -> list[str]:
    """The columns of the table from "open, s" on."""
    begin = time.process_time()
    catalog = catalog_of(scratch)
    opened = time.process_time() - begin
    cells = []
    for ask in _QUESTIONS.values():
        taken = []
        for point in next(batches(size, size + 5, noise)):
            begin = time.process_time()
            ask(catalog, point.vector)
            taken.append(1000 * (time.process_time() - begin))
        cells.append(f"{np.median(taken):.0f}")
    memory = psutil.Process().memory_info().rss / 1e6
    begin = time.process_time()
    catalog.close()
    closed = time.process_time() - begin
    return [f"{opened:.1f}", f"{closed:.1f}", f"{memory:,.0f}", *cells]


def _run(stack: Bench, *arguments: str) -> float | None:
    """The seconds that a command took from the shell; None where it failed or found nothing."""
    begin = time.perf_counter()
    try:
        found = stack.run(*arguments)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return None
    seconds = time.perf_counter() - begin
    return seconds if found.get("results", True) else None


def _longest_pause(stack: Bench, folder: Path) -> float:
    """The most seconds in which an ingest of new files stored nothing, from its first stored file to its last."""
    ingest = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.processes.ingest", str(folder)],
        cwd=ROOT, env=stack.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    client = stack.redis()
    stored, since, longest = 0, 0.0, 0.0
    while ingest.poll() is None:
        now = time.monotonic()
        known = jobs(client, 1)
        count = Ledger(client, known[0]).counts().stored if known else 0
        if count != stored:
            longest = max(longest, now - since) if stored else 0.0
            stored, since = count, now
        time.sleep(0.01)
    out = json.loads(ingest.communicate()[0])
    require_count(out["stored"], len(list(folder.iterdir())), "files were stored")
    return longest
