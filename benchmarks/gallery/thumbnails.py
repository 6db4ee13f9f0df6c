"""thumbnail_ms: what the small picture costs that a GPU worker makes beside the embedding, in time and in bytes."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import REPEATS, Figure, measured
from benchmarks.material import MP_03, MP_2, MP_12, pictures
from benchmarks.stages import CLIP
from pictures.decode import decode
from pictures.thumbnail_store import ThumbnailStore
from pictures.thumbnails import THUMBNAIL, webp
from settings import load_settings

SIZES = {"12 MP": MP_12, "2 MP": MP_2, "0.3 MP": MP_03}
PICTURES = 8


def thumbnail_ms(scratch: Path, quick: bool) -> list[Figure]:
    """Milliseconds of one core that a picture takes more with a small picture made and kept, over all sizes."""
    repeats = 2 if quick else REPEATS
    settings = load_settings()
    thumbnails = settings.thumbnails.model_copy(update={"place": str(scratch / "kept")})
    store = ThumbnailStore(settings.model_copy(update={"thumbnails": thumbnails}))
    table, more = [["picture", "decode, ms", "with a small picture, ms", "bytes kept"]], []
    for name, size in SIZES.items():
        files = [path.read_bytes() for path in pictures(scratch / name, 2 if quick else PICTURES, size)]
        kept: list[int] = []

        def alone(data: bytes) -> None:
            decode(data, 10**9, CLIP, None)

        def beside(data: bytes, number: int, kept: list[int] = kept) -> None:
            small = decode(data, 10**9, CLIP, None, small=THUMBNAIL).small
            assert small is not None
            made = webp(small)
            kept.append(len(made))
            store.put(f"{number:02x}{0:062x}", THUMBNAIL, made)

        without, together = [], []
        for _ in range(repeats):
            for number, data in enumerate(files):
                without.append(_milliseconds(partial(alone, data)))
                together.append(_milliseconds(partial(beside, data, number)))
        table.append([name, *(f"{np.median(times):.1f}" for times in (without, together)), f"{np.mean(kept):,.0f}"])
        more.append(float(np.median(together) - np.median(without)))
    return [measured("thumbnail_ms", more, "ms/picture", detail={"table": table})]


def _milliseconds(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1000
