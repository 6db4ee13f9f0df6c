"""null_files_per_s: files per second from scan to confirmed write, with the null model and Flower's events on."""

from pathlib import Path

from benchmarks.harness import Figure, measured
from benchmarks.material import make_new, tiny_pictures
from benchmarks.stack import kept_up

REPEATS = 3


def null_files_per_s(scratch: Path, quick: bool) -> list[Figure]:
    """One file a task, as by default."""
    return [_figure("null_files_per_s", scratch, quick, count=4000, files_per_task=1, goal=600)]


def null_files_per_s_32(scratch: Path, quick: bool) -> list[Figure]:
    """Thirty-two files a task, for large installations."""
    return [_figure("null_files_per_s_32", scratch, quick, count=16_000, files_per_task=32, goal=5000)]


def _figure(name: str, scratch: Path, quick: bool, count: int, files_per_task: int, goal: float) -> Figure:
    """Files per second of some ingests of new files beside a warm stack, whose Flower runs and listens.

    The table says how much processor time each process took for a file: the cost, whatever else this machine did.
    """
    paths = tiny_pictures(scratch / "pictures", 200 if quick else count)
    settings = {
        "MODELS__CLIP": "null",
        "MODELS__CAPTIONS": "false",
        "INGEST__FILES_PER_TASK": str(files_per_task),
        # A task reads all of its files at once: a dozen tasks of small files are little to hold.
        "GPU__IN_FLIGHT": "auto" if files_per_task == 1 else str(12 * files_per_task),
        # A few times what the workers hold, as settings.toml advises.
        "INGEST__WINDOW": str(1000 if files_per_task == 1 else 8000),
    }
    rates = []
    with kept_up(scratch, **settings) as stack:
        # The first ingest also makes the collection and warms the workers.
        stack.run("ingest", str(scratch / "pictures"))
        before = stack.cpu_seconds()
        for _ in range(1 if quick else REPEATS):
            make_new(paths)
            done = stack.run("ingest", str(scratch / "pictures"))
            if done["stored"] != len(paths):
                raise RuntimeError(f"{done['stored']} of {len(paths)} files were stored: {done}")
            rates.append(len(paths) / float(done["seconds"]))
        after = stack.cpu_seconds()
    files = len(paths) * len(rates)
    spent = {process: 1e6 * (seconds - before[process]) / files for process, seconds in after.items()}
    rows: list[list[str]] = [["process", "processor time for a file, µs"]]
    rows += [[process, f"{micros:.0f}"] for process, micros in sorted(spent.items(), key=lambda each: -each[1])]
    rows.append(["all", f"{sum(spent.values()):.0f}"])
    return measured(name, rates, "files/s", goal=goal, detail={"table": rows})
