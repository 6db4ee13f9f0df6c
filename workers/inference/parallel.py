"""Several forward passes at the same time on a CPU."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import TypeVar

from workers.microbatcher import forget_locals

Item = TypeVar("Item")
Result = TypeVar("Result")


class ParallelBatches:
    """Splits a batch into `count` parts and processes them at the same time, each in its own thread.

    In one forward pass on all cores, the threads wait for each other after every layer, and all of them wait for one
    that shares its core with a loader. Separate passes do not wait for each other, and one can read weights (the
    decoder of BLIP) while another one multiplies.
    """

    def __init__(self, count: int, begin: Callable[[], object] | None = None) -> None:
        """`begin` is called in each thread when it begins."""
        if count < 1:
            raise ValueError("count must be at least 1")
        self.count = count
        self._pool = ThreadPoolExecutor(count, "stream", begin or (lambda: None)) if count > 1 else None

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def __call__(
        self, process: Callable[[Sequence[Item]], Iterable[Result]], items: Sequence[Item], part: int = 1
    ) -> list[Result]:
        """The results of `process` in the order of the items.

        A batch that is no larger than one `part` is computed by the thread that brings it: others may bring theirs at
        the same time.

        Raises the error of the first part that failed, once all parts have ended: the next batch has the device alone.
        """
        parts = min(self.count, len(items))
        if self._pool is None or len(items) <= part:
            return list(process(items))

        def compute(start: int, end: int) -> list[Result]:
            try:
                return list(process(items[start:end]))
            except BaseException as error:
                # Of several errors one is raised; what the other passes have computed must be gone by then, too.
                forget_locals(error)
                raise

        bounds = [len(items) * part // parts for part in range(parts + 1)]
        futures = [self._pool.submit(compute, start, end) for start, end in pairwise(bounds)]
        wait(futures)
        return [result for future in futures for result in future.result()]
