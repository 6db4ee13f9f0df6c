"""The pipeline's side of a comparison: from the folder to confirmed writes in the embedded Qdrant, workers warm."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench_stack import Bench, kept_up
from benchmarks.figures.bounds import require_count
from benchmarks.material import make_new


class Ingest:
    """Ingests all of `paths`, which fill their folder, as new content; it returns pictures per second.

    The clock of `ingest` runs from the first look at the folder to the last confirmed write. `precision` is what the
    model computes in.
    """

    def __init__(self, stack: Bench, paths: list[Path]) -> None:
        self._stack = stack
        self._paths = paths
        self(0)  # which makes the collection and warms the workers
        self.precision = stack.precision()

    def __call__(self, turn: int) -> float:
        make_new(self._paths)
        done = self._stack.run("ingest", str(self._paths[0].parent))
        require_count(done["stored"], len(self._paths), "pictures were stored")
        return len(self._paths) / float(done["seconds"])


@contextmanager
def ingesting(scratch: Path, paths: list[Path], **settings: str) -> Iterator[Ingest]:
    """Gives what ingests `paths`, its stack kept up; raises WrongCount where the collection then holds others."""
    with kept_up(scratch, **settings) as stack:
        yield Ingest(stack, paths)
        require_count(stack.points(), len(paths), "pictures are in the collection")
