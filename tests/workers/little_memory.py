"""A child with little address space: batches of real tensors, of which the largest that may be asked for do not fit."""

import resource
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from workers.inference.hardware import is_out_of_memory
from workers.inference.parallel import ParallelBatches
from workers.microbatcher import MicroBatcher

PICTURES, BATCH = 160, 64
# One layer of one picture; a batch of 64 takes 512 MB for its LAYERS, half of one 256 MB.
NUMBERS, LAYERS = 1 << 19, 4
ROOM = 400 << 20


def forward(pictures: Sequence[int]) -> list[float]:
    """A forward pass whose layers all stay in memory until its end, as activations of a tower do."""
    layers = [torch.tensor(pictures, dtype=torch.float32).repeat(NUMBERS, 1)]
    for _ in range(LAYERS - 1):
        layers.append(layers[-1] + 1)
    return [float(value) for value in layers[-1][0]]


def main(parts: int) -> None:
    """Print how many pictures came through and how many failed, and the largest batch that fits."""
    torch.set_num_threads(1)
    side_by_side = ParallelBatches(parts)
    side_by_side(forward, range(parts))
    status = Path("/proc/self/status").read_text()
    used = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    begun, go_on = threading.Event(), threading.Event()

    def process(batch: list[int]) -> list[float]:
        begun.set()
        go_on.wait(60)
        return side_by_side(forward, batch)

    batcher: MicroBatcher[int, float] = MicroBatcher("little", process, BATCH, is_out_of_memory)
    # The first one alone holds the door until all others wait, so that the next batch is a full one.
    futures = [batcher.submit(0)]
    assert begun.wait(60)
    futures += [batcher.submit(number) for number in range(1, PICTURES)]
    go_on.set()
    errors = [future.exception(120) for future in futures]
    whole = [number for number, error in enumerate(errors) if error is None]
    assert [futures[number].result() for number in whole] == [number + LAYERS - 1 for number in whole]
    print(len(whole), PICTURES - len(whole), batcher.max_batch)
    batcher.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
