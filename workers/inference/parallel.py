"""Several forward passes side by side on a CPU."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class ParallelBatches:
    """Cuts a batch into `count` parts and works on them at the same time, each in a thread of its own.

    One forward pass on all cores makes its threads wait for each other after every layer, and all of them for whichever
    shares its core with a loader. Passes beside each other wait for nothing, and one can read weights (the decoder of
    BLIP) while another one multiplies.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError("count must be at least 1")
        self.count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="stream") if count > 1 else None

    def __call__(self, work: Callable[[Sequence[Item]], Iterable[Result]], items: Sequence[Item]) -> list[Result]:
        """What `work` makes of the items, in their order; raises what it raises for the first part that fails."""
        parts = min(self.count, len(items))
        if self._pool is None or parts < 2:
            return list(work(items))
        edges = [len(items) * part // parts for part in range(parts + 1)]
        futures = [self._pool.submit(work, items[begin:end]) for begin, end in pairwise(edges)]
        return [result for future in futures for result in future.result()]
