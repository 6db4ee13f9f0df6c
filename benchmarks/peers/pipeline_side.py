"""The pipeline's side of a comparison: from the folder to confirmed writes in the embedded Qdrant, workers warm."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench_stack import kept_up
from benchmarks.material import make_new


@contextmanager
def ingesting(scratch: Path, paths: list[Path], **settings: str) -> Iterator[Callable[[int], float]]:
    """Gives what ingests all of `paths`, which fill their folder, as new content; it returns pictures per second.

    The clock of `ingest` runs from the first look at the folder to the last confirmed write; it has run once already.
    """
    folder = paths[0].parent
    with kept_up(scratch, **settings) as stack:

        def ingest(turn: int) -> float:
            make_new(paths)
            done = stack.run("ingest", str(folder))
            if done["stored"] != len(paths):
                raise RuntimeError(f"{done['stored']} of {len(paths)} pictures were stored")
            return len(paths) / float(done["seconds"])

        ingest(0)
        yield ingest
