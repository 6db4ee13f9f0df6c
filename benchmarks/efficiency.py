"""efficiency_*: pictures per second of the whole pipeline over those of a bare loop with the same code.

The bare loop is the best overlap one process can have: loader threads decode ahead while each model runs full batches
in a thread of its own, without a queue between processes or a database. It makes and keeps the small picture of each
file as well, for that is part of a picture's way and not of the queue. Both rates count from the first file to the last
result, models warm. Beside it stands the bare device: the models alone, on pixels that lie ready in memory, one
batch after the other. All run in the precision that `auto` picks.
"""

import queue
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.figures.bounds import Goal, at_least
from benchmarks.figures.precisions import told
from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import MP_2, pictures, random_blip_base, random_vit_b32
from benchmarks.peers.pipeline_side import Ingest, ingesting
from pictures.decode import decode
from pictures.picture import Pixels
from pictures.preprocessing import blank
from pictures.reading import read
from pictures.thumbnail_store import ThumbnailStore
from pictures.thumbnails import THUMBNAIL, webp
from settings import Settings
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.embedders.embedder import Embedder
from workers.inference.hardware import batch_sizes, loaders, parallel_batches

# Random weights never end a sentence, so this is the length of every caption, on both sides.
TOKENS = 20
CPU = torch.device("cpu")


class Bare:
    """One process with warm models, as the GPU worker configures itself; small pictures go to the folder `kept`."""

    def __init__(self, clip: Path, blip: Path | None, kept: Path | None = None) -> None:
        settings = Settings.model_construct()
        own = settings.thumbnails.model_copy(update={"place": str(kept)})
        self._thumbnails = ThumbnailStore(settings.model_copy(update={"thumbnails": own})) if kept else None
        parts, threads = parallel_batches(settings, "cpu")
        torch.set_num_threads(threads)
        self.batch_clip, self.batch_blip = batch_sizes(settings, "cpu")
        self.loaders = loaders(settings)
        self.clip = Embedder(str(clip), CPU, "auto", self.batch_clip, parts)
        self.blip = checkpoint_captioner(str(blip), CPU, "auto", self.batch_blip, TOKENS, parts) if blip else None

    @property
    def precision(self) -> str:
        """What the models compute in, CLIP's first."""
        of_models = [told(model.precision, model.fidelity) for model in (self.clip, self.blip) if model is not None]
        return ", ".join(dict.fromkeys(of_models))

    def on_the_device(self, count: int) -> float:
        """Pictures per second of the models alone, for so many pictures."""
        begin = time.perf_counter()
        _batches(self.clip.embed_pictures, blank(self.clip.model_input, 0), count, self.batch_clip)
        if self.blip is not None:
            _batches(self.blip.caption, blank(self.blip.model_input, 0), count, self.batch_blip)
        return count / (time.perf_counter() - begin)

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
                blip_input = self.blip.model_input if self.blip else None
                small = THUMBNAIL if self._thumbnails else None
                picture = decode(content.data, 10**9, self.clip.model_input, blip_input, small=small)
                if self._thumbnails and picture.small is not None:
                    self._thumbnails.put(content.sha256, THUMBNAIL, webp(picture.small))
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


def named(dtype: "torch.dtype | str") -> str:
    """The name of a precision, as in "bfloat16"."""
    return str(dtype).removeprefix("torch.")


def _batches(model: Callable[[Sequence[Pixels]], object], picture: Pixels, count: int, batch: int) -> None:
    for begin in range(0, count, batch):
        model([picture] * min(batch, count - begin))


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
    paths = pictures(scratch / "2mp", 32 if quick else 1000, MP_2)
    bare = Bare(checkpoint, None, scratch / "kept")
    with ingesting(scratch, paths, MODELS__CLIP=str(checkpoint), MODELS__CAPTIONS="false") as ours:
        return [_shares("efficiency_clip", ours, bare, paths, quick, at_least(0.95, floor=0.85))]


def efficiency_caption(scratch: Path, quick: bool) -> list[Figure]:
    """The ratio for 2 MP JPEGs with captions of TOKENS words at BLIP base's size, and ViT-B/32 embeddings."""
    clip, blip = random_vit_b32(scratch / "vit-b32-random"), random_blip_base(scratch / "blip-base-random")
    paths = pictures(scratch / "2mp", 4 if quick else 144, MP_2)
    bare = Bare(clip, blip, scratch / "kept")
    settings = {"MODELS__CLIP": str(clip), "MODELS__BLIP": str(blip), "MODELS__MAX_CAPTION_TOKENS": str(TOKENS)}
    with ingesting(scratch, paths, **settings, INGEST__CAPTIONS="now") as ours:
        return [_shares("efficiency_caption", ours, bare, paths, quick, at_least(0.97, floor=0.9))]


def _shares(name: str, ours: Ingest, bare: Bare, paths: list[Path], quick: bool, goal: Goal) -> Figure:
    """The share of the bare loop; the detail has that of the bare device, which is measured in the same turns."""
    device: list[float] = []

    def baseline(turn: int) -> float:
        device.append(bare.on_the_device(len(paths)))
        return bare.run(paths)

    precisions = f"{ours.precision} / {bare.precision}"
    figure = compare(name, ours, baseline, "images/s", 1 if quick else REPEATS, goal, precisions)
    return replace(figure, detail={"device": round(statistics.median(device), 3)})
