"""What the producer does by itself, and how the rate grows with the workers."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench_stack import Bench, kept_up, private_redis
from benchmarks.figures.bounds import Goal, at_least, require_count
from benchmarks.harness import REPEATS, Figure, measured
from benchmarks.material import make_new, tiny_pictures
from producer.ingest.plan import Numbered
from producer.ingest.sources.scan import FileRef
from producer.ingest.window import Window
from tasks.ledger import Ledger
from tasks.messages import Target
from tasks.queues import FILES

ROOT_URI = "file:///srv/photos"
TARGET = Target("pictures", "shapes-clip@00000000", "shapes-blip@00000000")
# The window publishes what one chunk of the plan leaves to do.
CHUNK = 2000


def enqueue_per_s(scratch: Path, quick: bool) -> list[Figure]:
    """Files per second that the window publishes, one a task; nobody takes them."""
    return [_enqueue("enqueue_per_s", scratch, 2000 if quick else 40_000, 1, at_least(5000, floor=5000))]


def enqueue_per_s_32(scratch: Path, quick: bool) -> list[Figure]:
    """The same with thirty-two files a task."""
    return [_enqueue("enqueue_per_s_32", scratch, 2000 if quick else 200_000, 32, at_least(50_000, floor=50_000))]


def plan_per_s(scratch: Path, quick: bool) -> list[Figure]:
    """Files per second of scan, plan and ledger over a folder that the collection holds unchanged."""
    count = 200 if quick else 20_000
    tiny_pictures(scratch / "pictures", count)
    settings = {"MODELS__CLIP": "null", "MODELS__CAPTIONS": "false", "INGEST__FILES_PER_TASK": "32"}
    with kept_up(scratch, **settings, INGEST__WINDOW="8000") as stack:
        stack.run("ingest", str(scratch / "pictures"))
        arguments = str(scratch / "pictures"), str(count), str(1 if quick else REPEATS)
        rates = stack.python("benchmarks.processes.plan", *arguments)["rates"]
    return [measured("plan_per_s", rates, "files/s", goal=at_least(20_000, floor=10_000))]


def made_up(numbers: range) -> Iterator[Numbered]:
    """Files with names of the usual length that do not exist, a thousand in a folder."""
    for number in numbers:
        name = f"{ROOT_URI}/2024/album-{number // 1000:05}/IMG_{number:08}.jpg"
        yield Numbered(number, FileRef(name, 4_000_000, 1_700_000_000_000_000_000 + number))


def _enqueue(name: str, scratch: Path, count: int, files_per_task: int, goal: Goal) -> Figure:
    files = list(made_up(range(count)))
    rates = []
    with private_redis(scratch) as client:
        for turn in range(REPEATS):
            window = Window(Ledger(client, f"bench-{turn}"), TARGET, ROOT_URI, count, files_per_task)
            begin = time.perf_counter()
            for start in range(0, count, CHUNK):
                window.enqueue(files[start : start + CHUNK])
            rates.append(count / (time.perf_counter() - begin))
            client.delete(FILES)
    return measured(name, rates, "files/s", goal=goal)


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
    return [measured("scaleout_8", [linear], "of linear", goal=at_least(0.9, floor=0.8), detail={"table": rows})]


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
    require_count(done["stored"], len(list(folder.iterdir())), "files were stored")
    return done["stored"] / float(done["seconds"]), busy


def _spent(stack: Bench) -> float:
    return sum(stack.cpu_seconds().values()) + sum(sum(process.cpu_times()[:2]) for process in stack.further_workers())


def _new_pictures(scratch: Path, count: int) -> Path:
    folder = scratch / f"pictures-{time.monotonic_ns()}"
    make_new(tiny_pictures(folder, count))
    return folder
