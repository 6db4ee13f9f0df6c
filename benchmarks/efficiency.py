"""efficiency_*: pictures per second of the whole pipeline over those of a bare loop with the same code.

The bare loop is the best overlap one process can have: loader threads decode ahead while each model runs full batches
in a thread of its own, without a queue between processes or a database. Both rates count from the first file to the
last result, models warm.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import MP_2, pictures, random_blip_base, random_vit_b32
from benchmarks.peers.pipeline_side import ingesting
from pictures.decode import decode
from pictures.picture import Pixels
from pictures.reading import read
from settings import Settings
from workers.inference.blip import Blip
from workers.inference.clip import Clip
from workers.inference.hardware import batch_sizes, loaders, parallel_batches

# Random weights never end a sentence, so this is the length of every caption, on both sides.
TOKENS = 20
CPU = torch.device("cpu")


class Bare:
    """One process with warm models, as the GPU worker configures itself."""

    def __init__(self, clip: Path, blip: Path | None) -> None:
        settings = Settings.model_construct()
        parts, threads = parallel_batches(settings, "cpu")
        torch.set_num_threads(threads)
        self.batch_clip, self.batch_blip = batch_sizes(settings, "cpu")
        self.loaders = loaders(settings)
        self.clip = Clip(str(clip), CPU, "auto", self.batch_clip, parts)
        self.blip = Blip(str(blip), CPU, "auto", self.batch_blip, TOKENS, parts) if blip else None

    def run(self, paths: list[Path]) -> float:
        """Pictures per second."""
        files: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for path in paths:
            files.put(path)
        for_clip: queue.Queue[Pixels] = queue.Queue(3 * self.batch_clip)
        for_blip: queue.Queue[Pixels] = queue.Queue(3 * self.batch_clip)

        def load() -> None:
            while True:
                try:
                    path = files.get_nowait()
                except queue.Empty:
                    return
                content = read(path.as_uri(), 10**9)
                picture = decode(
                    content.data, 10**9, self.clip.model_input, self.blip.model_input if self.blip else None
                )
                for_clip.put(picture.clip)
                if picture.blip is not None:
                    for_blip.put(picture.blip)

        work = [threading.Thread(target=load) for _ in range(self.loaders)]
        work.append(_consumer(for_clip, len(paths), self.batch_clip, self.clip.embed_pictures))
        if self.blip is not None:
            work.append(_consumer(for_blip, len(paths), self.batch_blip, self.blip.caption))
        begin = time.perf_counter()
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        return len(paths) / (time.perf_counter() - begin)


def _consumer(
    loaded: "queue.Queue[Pixels]", count: int, batch: int, model: Callable[[Sequence[Pixels]], object]
) -> threading.Thread:
    def work() -> None:
        for begin in range(0, count, batch):
            model([loaded.get() for _ in range(min(batch, count - begin))])

    return threading.Thread(target=work)


def efficiency_clip(scratch: Path, quick: bool) -> list[Figure]:
    """The ratio for 2 MP JPEGs at ViT-B/32 size."""
    checkpoint = random_vit_b32(scratch / "vit-b32-random")
    paths = pictures(scratch / "2mp", 32 if quick else 320, MP_2)
    bare = Bare(checkpoint, None)
    with ingesting(scratch, paths, MODELS__CLIP=str(checkpoint), MODELS__CAPTIONS="false") as ingest:
        figure = compare(
            "efficiency_clip", ingest, lambda turn: bare.run(paths), "images/s", 1 if quick else REPEATS, 0.92
        )
    return [figure]


def efficiency_caption(scratch: Path, quick: bool) -> list[Figure]:
    """The ratio for 2 MP JPEGs with captions of TOKENS words at BLIP base's size, and ViT-B/32 embeddings."""
    clip, blip = random_vit_b32(scratch / "vit-b32-random"), random_blip_base(scratch / "blip-base-random")
    paths = pictures(scratch / "2mp", 4 if quick else 48, MP_2)
    bare = Bare(clip, blip)
    settings = {"CLIP": str(clip), "BLIP": str(blip), "MAX_CAPTION_TOKENS": str(TOKENS)}
    with ingesting(scratch, paths, **{f"MODELS__{name}": value for name, value in settings.items()}) as ingest:
        figure = compare(
            "efficiency_caption", ingest, lambda turn: bare.run(paths), "images/s", 1 if quick else REPEATS, 0.95
        )
    return [figure]
