"""What all processes do for a file with the null model: files per second, and the processor time of each process."""

import os
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.bench_stack import ROOT, Bench, kept_up, kept_up_from
from benchmarks.figures.bounds import Goal, at_least, at_most, require_count
from benchmarks.harness import Figure, compare, measured
from benchmarks.material import make_new, tiny_pictures

NULL_GOAL, NULL_32_GOAL = at_least(900, floor=300), at_least(5000, floor=1000)
SCALE_REPEATS = 3
# One ingest takes some seconds and varies by a few percent.
RELEASE_REPEATS = 9


def null_files_per_s(scratch: Path, quick: bool) -> list[Figure]:
    """One file a task, as by default."""
    return [_figure("null_files_per_s", scratch, quick, count=4000, files_per_task=1, goal=NULL_GOAL)]


def null_files_per_s_32(scratch: Path, quick: bool) -> list[Figure]:
    """Thirty-two files a task, for large installations."""
    return [_figure("null_files_per_s_32", scratch, quick, count=16_000, files_per_task=32, goal=NULL_32_GOAL)]


def null_files_per_s_procs(scratch: Path, quick: bool) -> list[Figure]:
    """The same with two loader processes; the table has one of them and threads of the worker beside them."""
    rates: dict[str, list[float]] = {}
    spent: dict[str, dict[str, float]] = {}
    for processes in ("0", "1", "2"):
        folder = scratch / processes
        rates[processes], spent[processes] = _measure(folder, quick, 16_000, 32, GPU__LOADER_PROCESSES=processes)
    names = sorted({name for each in spent.values() for name in each})
    rows = [["loader processes", "files/s", *(f"{name}, µs a file" for name in names), "all"]]
    rows += [
        [
            processes,
            f"{median(rates[processes]):.0f}",
            *(f"{each.get(name, 0):.0f}" for name in names),
            f"{sum(each.values()):.0f}",
        ]
        for processes, each in spent.items()
    ]
    return [measured("null_files_per_s_procs", rates["2"], "files/s", detail={"table": rows})]


def _figure(name: str, scratch: Path, quick: bool, count: int, files_per_task: int, goal: Goal) -> Figure:
    """Files per second of some ingests of new files beside a warm stack, whose Flower runs and listens.

    The table says how much processor time each process took for a file: the cost, whatever else this machine did.
    """
    rates, spent = _measure(scratch, quick, count, files_per_task)
    rows: list[list[str]] = [["process", "processor time for a file, µs"]]
    rows += [[process, f"{micros:.0f}"] for process, micros in sorted(spent.items(), key=lambda each: -each[1])]
    rows.append(["all", f"{sum(spent.values()):.0f}"])
    return measured(name, rates, "files/s", goal=goal, detail={"table": rows})


def _measure(
    scratch: Path, quick: bool, count: int, files_per_task: int, **settings: str
) -> tuple[list[float], dict[str, float]]:
    """The files per second of each ingest, and the microseconds of processor time that each process took for a file."""
    paths = tiny_pictures(scratch / "pictures", 200 if quick else count)
    rates = []
    with kept_up(scratch, **_null_settings(files_per_task), **settings) as stack:
        # The first ingest also makes the collection and warms the workers.
        stack.run("ingest", str(scratch / "pictures"))
        before = stack.cpu_seconds()
        for _ in range(1 if quick else SCALE_REPEATS):
            rates.append(_new_files_rate(stack, paths))
        after = stack.cpu_seconds()
        require_count(stack.points(), len(paths), "files are in the collection")
    files = len(paths) * len(rates)
    return rates, {process: 1e6 * (seconds - before[process]) / files for process, seconds in after.items()}


def _null_settings(files_per_task: int) -> dict[str, str]:
    return {
        "MODELS__CLIP": "null",
        "MODELS__CAPTIONS": "false",
        "INGEST__FILES_PER_TASK": str(files_per_task),
        # A task reads all of its files at once: a dozen tasks of small files are little to hold.
        "GPU__IN_FLIGHT": "auto" if files_per_task == 1 else str(12 * files_per_task),
        # A few times what the workers hold, as settings.toml advises.
        "INGEST__WINDOW": str(1000 if files_per_task == 1 else 8000),
    }


def _new_files_rate(stack: Bench, paths: list[Path], spent: Counter[str] | None = None) -> float:
    """Files per second of one ingest of these pictures, which are given new content before.

    `spent` counts the processor time of each process meanwhile, in seconds.
    """
    make_new(paths)
    before = Counter(stack.cpu_seconds())
    done = stack.run("ingest", str(paths[0].parent))
    if spent is not None:
        spent.update({process: seconds - before[process] for process, seconds in stack.cpu_seconds().items()})
    require_count(done["stored"], len(paths), "files were stored")
    return len(paths) / float(done["seconds"])


def null_vs_release(scratch: Path, quick: bool) -> list[Figure]:
    """null_files_per_s of this checkout over that of the one which --release names, and the same of processor time.

    The two take turns. Both stacks are up all the time, each with its own Redis, catalog and pictures. Without
    --release it is this checkout against itself, which shows how far two equal sides differ here. By the clock they
    differ with what else the machine does; a file's processor time over all processes hardly does.
    """
    other = Path(os.environ.get("DARKROOM_BENCH_RELEASE", ROOT))
    count = 200 if quick else 4000
    folders = scratch / "ours", scratch / "release"
    pictures = [tiny_pictures(folder / "pictures", count) for folder in folders]
    settings = _null_settings(files_per_task=1)
    turns: tuple[list[Counter[str]], list[Counter[str]]] = [], []

    def rate(side: int, stack: Bench, _: int) -> float:
        turns[side].append(Counter())
        return _new_files_rate(stack, pictures[side], turns[side][-1])

    with kept_up(folders[0], **settings) as ours, kept_up_from(other, folders[1], settings) as release:
        for stack, paths in zip((ours, release), pictures, strict=True):
            stack.run("ingest", str(paths[0].parent))
        rates = compare(
            "null_vs_release",
            ours=partial(rate, 0, ours),
            baseline=partial(rate, 1, release),
            unit="files/s",
            repeats=1 if quick else RELEASE_REPEATS,
            goal=at_least(0.97, floor=0.85),
        )
    return [rates, _processor_time(turns, count)]


def _processor_time(turns: tuple[list[Counter[str]], list[Counter[str]]], count: int) -> Figure:
    """The processor time of a file here over that of the other release, turn by turn, and that of each process."""
    ratios = [mine.total() / other.total() for mine, other in zip(*turns, strict=True)]
    rows = [["process", "here, µs a file", "that release, µs a file"]]
    for process in sorted({name for side in turns for turn in side for name in turn}):
        rows.append([process, *(f"{1e6 * median(turn[process] for turn in side) / count:.0f}" for side in turns)])
    goal = at_most(1.03, floor=1.15)
    return measured("null_processor_time_vs_release", ratios, "x", goal=goal, detail={"table": rows})
