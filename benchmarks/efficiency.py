"""efficiency_clip: pictures per second of the whole pipeline over those of a bare loop with the same code.

The bare loop is the best overlap one process can have: loader threads decode ahead while the model runs full batches,
without a queue or a database. The pipeline goes from the folder to confirmed writes in the embedded Qdrant.
"""

import queue
import threading
import time
from pathlib import Path

import torch

from benchmarks.harness import Figure, compare
from benchmarks.material import make_new, photos, random_vit_b32
from benchmarks.stack import kept_up
from workers.gpu.clip import Clip
from workers.gpu.hardware import CPU_BATCH_CLIP, cores
from workers.gpu.load import decode, read
from workers.gpu.picture import Pixels


def bare_loop(paths: list[Path], clip: Clip, batch: int, loaders: int) -> float:
    """Pictures per second of loader threads and full batches in one process."""
    waiting: queue.SimpleQueue[Path] = queue.SimpleQueue()
    loaded: queue.Queue[Pixels] = queue.Queue(maxsize=3 * batch)
    for path in paths:
        waiting.put(path)

    def load() -> None:
        while True:
            try:
                path = waiting.get_nowait()
            except queue.Empty:
                return
            content = read(path.as_uri(), 10**9)
            loaded.put(decode(content.data, 10**9, clip.target, None).clip)

    begin = time.perf_counter()
    threads = [threading.Thread(target=load) for _ in range(loaders)]
    for thread in threads:
        thread.start()
    left = len(paths)
    while left:
        size = min(batch, left)
        clip.embed_pictures([loaded.get() for _ in range(size)])
        left -= size
    return len(paths) / (time.perf_counter() - begin)


def efficiency_clip(scratch: Path, count: int = 256) -> Figure:
    """The ratio for 2 MP JPEGs at ViT-B/32 size, model and start-up warm on both sides."""
    checkpoint = random_vit_b32(scratch / "vit-b32-random")
    folder = scratch / "2mp"
    paths = photos(folder, count, 1632, 1224)
    torch.set_num_threads(cores())
    clip = Clip(str(checkpoint), torch.device("cpu"), "auto", CPU_BATCH_CLIP)
    with kept_up(scratch, MODELS__CLIP=str(checkpoint), MODELS__CAPTIONS="false") as stack:
        stack.run("ingest", str(folder))

        def pipeline(turn: int) -> float:
            make_new(paths)
            done = stack.run("ingest", str(folder))
            assert done["stored"] == count
            return count / float(done["seconds"])

        return compare(
            "efficiency_clip",
            pipeline,
            lambda turn: bare_loop(paths, clip, CPU_BATCH_CLIP, max(2, cores())),
            "images/s",
        )
