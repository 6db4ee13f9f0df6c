"""scaleout_8: how much of linear is left with eight GPU workers, with a model that sleeps as a GPU would.

`null:10` sleeps ten milliseconds a picture, 32 pictures in 320 ms, and leaves the processor alone meanwhile: a worker
can do 100 pictures a second at most. All workers share this machine's cores with the producer, the storage worker and
Redis, so that its end is where the cores end, not where the queue does; the table shows both.
"""

import os
import time
from pathlib import Path

from benchmarks.harness import Figure, measured
from benchmarks.material import make_new, tiny_pictures
from benchmarks.stack import Bench, kept_up

MILLISECONDS = 10
WORKERS = (1, 2, 4, 8)
SECONDS = 8
FILES_PER_TASK = 8


def scaleout_8(scratch: Path, quick: bool) -> list[Figure]:
    """Files per second of 1, 2, 4 and 8 workers; the value is that of eight over eight times that of one.

    It is taken with a few files a task, as settings.toml advises for such rates; the table has one file a task as well.
    """
    rows = [["files a task", "workers", "files/s", "of linear", "of the models' own rate", "processor use"]]
    for files_per_task in (1, FILES_PER_TASK):
        linear = _series(scratch / str(files_per_task), files_per_task, quick, rows)
    return [measured("scaleout_8", [linear], "of linear", goal=0.9, detail={"table": rows})]


def _series(scratch: Path, files_per_task: int, quick: bool, rows: list[list[str]]) -> float:
    """One series of growing numbers of workers, a row each; returns the last one's part of linear."""
    settings = {
        "MODELS__CLIP": f"null:{MILLISECONDS}",
        "MODELS__CAPTIONS": "false",
        "INGEST__FILES_PER_TASK": str(files_per_task),
        # A few times what eight workers hold.
        "INGEST__WINDOW": "3000",
    }
    linear = one = 0.0
    with kept_up(scratch, **settings) as stack:
        stack.run("ingest", str(_new_pictures(scratch, 64)))
        for workers in WORKERS[:2] if quick else WORKERS:
            while 1 + len(stack.further) < workers:
                stack.add_gpu_worker(f"gpu{1 + len(stack.further)}")
            own = workers * 1000 / MILLISECONDS
            rate, busy = _rate(stack, _new_pictures(scratch, 64 if quick else int(SECONDS * own)))
            one = one or rate
            linear = rate / (workers * one)
            figures = [
                str(files_per_task),
                str(workers),
                f"{rate:.0f}",
                f"{linear:.2f}",
                f"{rate / own:.2f}",
                f"{busy:.0%}",
            ]
            rows.append(figures)
    return linear


def _rate(stack: Bench, folder: Path) -> tuple[float, float]:
    """Files per second of one ingest, and how much of this machine's cores it took meanwhile."""
    begin, spent = time.perf_counter(), _spent(stack)
    done = stack.run("ingest", str(folder))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = (_spent(stack) - spent) / (time.perf_counter() - begin) / cores
    return done["stored"] / float(done["seconds"]), busy


def _spent(stack: Bench) -> float:
    return sum(stack.cpu_seconds().values()) + sum(sum(process.cpu_times()[:2]) for process in stack.further_workers())


def _new_pictures(scratch: Path, count: int) -> Path:
    folder = scratch / f"pictures-{time.monotonic_ns()}"
    make_new(tiny_pictures(folder, count))
    return folder
