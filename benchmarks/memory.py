"""producer_rss_mb and redis_mb: what a job of a million files needs; rss_growth: whether anything grows with the files;
gpu_rss_mb: what a GPU worker needs for files and pictures that are as large as they may be.

The million files have made-up names. The producer and Redis are the real ones, and so is the storage worker, which says
for each that it is not known; in the place of the GPU workers stands a process that ticks every file in the ledger.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import click
import psutil

from benchmarks.bench_stack import ROOT, Bench, kept_up
from benchmarks.figures.bounds import at_most, require_count
from benchmarks.harness import Figure, measured
from benchmarks.material import large_pictures, make_new, tiny_pictures
from benchmarks.processes.ingest import resident_peak
from settings import load_settings
from workers.inference.hardware import loaders

NULL = {"MODELS__CLIP": "null", "MODELS__CAPTIONS": "false"}
FEW, MANY = 2000, 20_000
LARGE_FILES, LARGE_FILE_BYTES, ROOM_BYTES = 500, 60_000_000, 1_000_000_000
LARGE_PICTURES, WIDE = 50, 15_800
# Kind of picture -> bytes of memory that a pixel takes while it is decoded.
PIXEL_BYTES = {"alpha": 5, "16 bits": 4, "WebP": 17}
KEPT_BY_GLIBC = 64 << 20
PROCESSES = 2
LOOK_SECONDS = 0.05
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
    require_count(found["stored"], count, "files were ticked")
    detail = {"files": count, "seconds": found["seconds"]}
    return [
        measured("producer_rss_mb", [found["rss"] / MEGABYTE], "MB", goal=at_most(200, floor=200), detail=detail),
        measured(
            "redis_mb", [memory["used_memory_peak"] / MEGABYTE], "MB", goal=at_most(100, floor=100), detail=detail
        ),
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
        measured("rss_growth", [worst], "x", goal=at_most(1.1, floor=1.2), detail={"table": rows}),
        measured("storage_rss_growth", [ratios["storage"]], "x", goal=at_most(1.1, floor=2), detail=for_a_point),
    ]


def grown(stack: Bench, scratch: Path, count: int) -> dict[str, int]:
    """Resident bytes of the workers, and the most of the producer, after an ingest of `count` more new files."""
    folder = scratch / f"pictures-{time.monotonic_ns()}"
    make_new(tiny_pictures(folder, count))
    found = stack.python("benchmarks.processes.ingest", str(folder))
    require_count(found["stored"], count, "files were stored")
    workers = {name: stack.children()[name].memory_info().rss for name in ("gpu0", "storage")}
    return workers | {"producer": found["rss"]}


def gpu_rss_mb(scratch: Path, quick: bool) -> list[Figure]:
    """The most that a GPU worker takes beyond what it takes at rest: for large files, and for pictures of 250 MP.

    The bounds are those that docs/performance.md states: gpu.read_bytes, or all files where these are fewer bytes; for
    pictures also what their kind takes a pixel, times ingest.max_pixels, for all loaders together, and what the
    allocator keeps for each loader.
    """
    few = 4 if quick else LARGE_PICTURES
    count, size = (40, 10_000_000) if quick else (LARGE_FILES, LARGE_FILE_BYTES)
    room = 4 * size if quick else ROOM_BYTES
    wide = 1000 if quick else WIDE
    rows: list[list[str]] = [["what", "files", "at rest, MB", "at most, MB", "bound, MB"]]
    files = scratch / "files"
    files.mkdir(parents=True)
    for number, path in enumerate(tiny_pictures(files, count)):
        os.truncate(path, size + number)  # a hole behind the end of the JPEG: bytes to read, and no disk
    what = f"files of {size // 1_000_000} MB"
    most = [_most(scratch, files, count, what, room, rows)]
    most.append(_most(scratch, files, count, f"{what}, {PROCESSES} loader processes", room, rows, PROCESSES))
    for kind, bytes_a_pixel in PIXEL_BYTES.items():
        folder = scratch / kind
        large_pictures(folder, kind, few, wide)
        pixels = max(wide * wide, 300_000_000)
        read = min(room, sum(path.stat().st_size for path in folder.iterdir()))
        bound = read + pixels * bytes_a_pixel + KEPT_BY_GLIBC * loaders(load_settings())
        what = f"{wide * wide // 1_000_000} MP, {kind}"
        most.append(_most(scratch, folder, few, what, bound, rows))
        if kind == "alpha":
            most.append(_most(scratch, folder, few, f"{what}, {PROCESSES} loader processes", bound, rows, PROCESSES))
        shutil.rmtree(folder)
    return [measured("gpu_rss_mb", [max(most)], "MB", detail={"table": rows})]


def _most(
    scratch: Path, folder: Path, count: int, what: str, bound: int, rows: list[list[str]], processes: int = 0
) -> float:
    """Ingest a folder with a worker of its own; adds a row, and returns the megabytes that it took at most.

    Loader processes are counted in, each page that several of them share once.
    """
    settings = NULL | {"GPU__READ_BYTES": str(ROOM_BYTES), "INGEST__LOAD_SECONDS": "600"}
    settings["GPU__LOADER_PROCESSES"] = str(processes)
    with kept_up(scratch / f"stack-{len(rows)}", **settings) as stack:
        warm = scratch / f"warm-{len(rows)}"
        tiny_pictures(warm, 20)
        stack.python("benchmarks.processes.ingest", str(warm))
        worker = stack.children()["gpu0"]
        with SharedPeak(worker) as peak:
            before = peak.now() if processes else resident_peak(worker.pid)
            found = stack.python("benchmarks.processes.ingest", str(folder))
        most = peak.bytes if processes else resident_peak(worker.pid)
    require_count(found["stored"], count, "files were stored")
    rows.append([what, str(count), *(f"{value / MEGABYTE:,.0f}" for value in (before, most, before + bound))])
    click.echo("  ".join(rows[-1]))  # the next ones take many minutes
    return most / MEGABYTE


class SharedPeak:
    """Looks many times a second at what a process and its children take; `bytes` is the most that it has seen."""

    def __init__(self, process: psutil.Process) -> None:
        self.bytes = 0
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "SharedPeak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def now(self) -> int:
        """What they take now: their proportional set sizes, in bytes."""
        total = 0
        for process in (self._process, *self._process.children()):
            with suppress(psutil.Error):  # it has just ended
                total += process.memory_full_info().pss
        return total

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self.bytes = max(self.bytes, self.now())
