"""A step of the decoder recorded as a CUDA graph: a hundred small calls become one.

https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable
from typing import Any

import torch

# So that libraries have chosen their kernels and taken their memory, as the notes of torch ask for.
WARM_UPS = 3


class WordGraphs:
    """Records steps on one device; their memory between words is shared, for no two of them run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def __call__(self, step: Callable[[], None]) -> Callable[[], None]:
        """Run a step some times and record it; returns what replays it. Raises RuntimeError where that fails.

        What it reads and writes must lie in the same memory each time, and outlive the replays.
        """
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        beside, now = torch.cuda.Stream(self._device), torch.cuda.current_stream(self._device)
        beside.wait_stream(now)
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                step()
        now.wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        # thread_local: the threads of other models go on with theirs meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            step()
        return graph.replay
