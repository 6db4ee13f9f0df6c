"""Runs in the environment of sentence-transformers: embeds each folder that is named on stdin.

Its arguments are a CLIPModel in Hugging Face format and "documented", as the documentation embeds pictures, or "best":
bfloat16 where the CPU multiplies it, batches of 16, and threads that have libjpeg scale while they decode, ahead of the
model.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from sentence_transformers import SentenceTransformer

EDGE, BATCH = 224, 16
CPUINFO = Path("/proc/cpuinfo")


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 and torch is not held down."""
    flags = set(CPUINFO.read_text().split()) if CPUINFO.exists() else set()
    return "ONEDNN_MAX_CPU_ISA" not in os.environ and not flags.isdisjoint({"amx_bf16", "avx512_bf16", "bf16"})


def drafted(path: Path) -> Image.Image:
    """The picture, decoded at the least size of libjpeg that the model need not enlarge."""
    image = Image.open(path)
    image.draft("RGB", (EDGE, EDGE))
    return image.convert("RGB")


def decoded(paths: list[Path]) -> Iterator[list[Image.Image]]:
    """Batches, of which the next ones are decoded while one is computed."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        waiting = [pool.submit(drafted, path) for path in paths]
        for start in range(0, len(waiting), BATCH):
            yield [future.result() for future in waiting[start : start + BATCH]]


checkpoint, settings = sys.argv[1:]
at_best = settings == "best"
dtype = torch.bfloat16 if at_best and has_bfloat16() else torch.float32
options = {"model_kwargs": {"dtype": dtype}} if at_best else {}
model = SentenceTransformer(checkpoint, device="cpu", **options)
for line in sys.stdin:
    paths = sorted(Path(line.strip()).iterdir())
    begin = time.perf_counter()
    if at_best:
        parts = decoded(paths)
        embedded = sum(
            len(model.encode(part, batch_size=BATCH, convert_to_numpy=True, normalize_embeddings=True))
            for part in parts
        )
    else:
        pictures = [Image.open(path) for path in paths]
        embedded = len(model.encode(pictures, convert_to_numpy=True, normalize_embeddings=True))
    seconds = time.perf_counter() - begin
    # What it computed in, and not what it was asked for.
    computed = str(next(model.parameters()).dtype).removeprefix("torch.")
    print(json.dumps({"seconds": seconds, "pictures": embedded, "precision": computed}), flush=True)
