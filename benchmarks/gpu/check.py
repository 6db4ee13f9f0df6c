"""Does this GPU compute what the CPU does, and how fast? `make gpu-check`, or `python -m benchmarks.gpu.check`.

It needs the extra `gpu` and nothing else: no Redis, no Qdrant, no download. One table, to be put into an issue.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.utils import logging as transformers_logging

from benchmarks.gpu.paths import Row, captions, decoding, in_flight
from benchmarks.material import random_vit_b32
from pictures.picture import Pixels
from pictures.preprocessing import blank
from settings.errors import ServiceMissing
from workers.inference.accelerators import STREAMING, device_name, is_accelerator, kind_here, synchronize
from workers.inference.embedders.embedder import Embedder
from workers.inference.hardware import free_cached, is_out_of_memory
from workers.inference.precision import SAME_IN_HALF
from workers.microbatcher import MicroBatcher

# The same float32 on another device: only the order of additions differs.
SAME = 0.9999
PICTURES, LARGEST = 64, 1024
SECONDS = 3.0
# Of the memory that is free: a batch of LARGEST pictures does not fit, a few do.
ROOM_BYTES = 256 * 2**20
CPU = torch.device("cpu")
Rows = NDArray[np.float32]


def noise(embedder: Embedder, count: int) -> list[Pixels]:
    """Pictures of noise, uint8, in the size that the model takes; always the same."""
    shape = blank(embedder.vision().model_input, 0).shape
    dice = np.random.default_rng(7)
    return [dice.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]


def rows(device: torch.device, model: str, two_processes: Callable[[str], list[Rows]]) -> Iterator[Row]:
    """Run all checks on a device; `two_processes` embeds the pictures in two processes on it at once."""
    yield Row("device", True, _name(device))
    right_by = Embedder(model, CPU, "float32", PICTURES)
    pictures = noise(right_by, PICTURES)
    right = right_by.embed_pictures(pictures)
    for dtype, least in (("float32", SAME), ("bfloat16", SAME_IN_HALF), ("float16", SAME_IN_HALF)):
        try:
            found = Embedder(model, device, dtype, PICTURES).embed_pictures(pictures)
        except Exception as error:  # a precision that the device lacks; the table says which
            yield Row(f"{dtype} against float32 on the CPU", False, f"{type(error).__name__}: {error}"[:120])
        else:
            cosine = _least_cosine(right, found)
            yield Row(f"{dtype} against float32 on the CPU", cosine >= least, f"least cosine {cosine:.6f}")
    embedder = Embedder(model, device, "auto", PICTURES)
    yield _halving(embedder, device, pictures, right)
    yield in_flight(embedder, pictures, right, SAME_IN_HALF, 16 if is_accelerator(device) else 1)
    yield from captions(device)
    yield decoding(embedder, device)
    together = two_processes(model)
    cosine = min((_least_cosine(right, found) for found in together), default=0.0)
    good = len(together) == 2 and cosine >= SAME_IN_HALF
    yield Row("two processes at once", good, f"{len(together)} of 2 ended well, least cosine {cosine:.6f}")
    bare, ours = _rates(embedder, device)
    yield Row("throughput", ours > 0, f"{ours:,.0f} pictures/s, {ours / bare:.0%} of the bare model's {bare:,.0f}")


def _name(device: torch.device) -> str:
    versions = f"torch {torch.__version__}"
    if device.type != "cuda" or torch.version.hip:
        return f"{device_name(device)}, {versions}"
    own = torch.cuda.get_device_properties(device)
    memory = f"{own.total_memory / 2**30:.0f} GiB"
    return f"{own.name}, {memory}, {own.major}.{own.minor}, CUDA {torch.version.cuda}, {versions}"


def _least_cosine(right: Rows, found: Rows) -> float:
    return float((right * found).sum(axis=1).min())


def _halving(embedder: Embedder, device: torch.device, pictures: Sequence[Pixels], right: Rows) -> Row:
    """A batch that does not fit is halved until it does, and the results are those of small batches."""
    many = [pictures[number % PICTURES] for number in range(LARGEST)]
    sizes: list[int] = []

    def process(batch: list[Pixels]) -> list[Rows]:
        sizes.append(len(batch))
        return list(embedder.embed_pictures(batch))

    embedder.embed_pictures(pictures[:2])  # what it holds for good
    with _little_memory(device, process) as limited:
        batcher: MicroBatcher[Pixels, Rows] = MicroBatcher(
            "gpu-check", limited, LARGEST, is_out_of_memory, free_cached, gather_seconds=1.0
        )
        futures = [batcher.submit(picture) for picture in many]
        found = np.stack([future.result() for future in futures])
        batcher.close()
    cosine = _least_cosine(np.stack([right[number % PICTURES] for number in range(LARGEST)]), found)
    halved = len(set(sizes)) > 1 and sizes[-1] < sizes[0]
    figure = f"{max(sizes)} pictures did not fit, {min(sizes)} did; least cosine {cosine:.6f}"
    return Row("a batch out of memory is halved", halved and cosine >= SAME_IN_HALF, figure)


@contextmanager
def _little_memory(
    device: torch.device, process: Callable[[list[Pixels]], list[Rows]]
) -> Iterator[Callable[[list[Pixels]], list[Rows]]]:
    """Inside this context `process` has ROOM_BYTES more than now; a CPU says so at more than eight pictures."""
    if device.type not in STREAMING:

        def refusing(batch: list[Pixels]) -> list[Rows]:
            found = process(batch)
            if len(batch) > 8:
                raise MemoryError
            return found

        yield refusing
        return
    free_cached()
    module = torch.get_device_module(device.type)
    total = module.get_device_properties(device).total_memory
    module.set_per_process_memory_fraction((module.memory_reserved(device) + ROOM_BYTES) / total, device)
    try:
        yield process
    finally:
        module.set_per_process_memory_fraction(1.0, device)


def _rates(embedder: Embedder, device: torch.device) -> tuple[float, float]:
    """Pictures a second of the model alone, its input on the device already, and of ours, from bytes to vectors."""
    tower = embedder.vision()
    pictures = noise(embedder, 256 if is_accelerator(device) else 8)
    with torch.inference_mode():
        inputs: Any = tower._inputs(pictures, tower.dtype)

        def bare() -> None:
            tower._model(**inputs)
            synchronize(device)

        return _a_second(bare, len(pictures)), _a_second(partial(embedder.embed_pictures, pictures), len(pictures))


def _a_second(work: Callable[[], object], pictures: int) -> float:
    for _ in range(3):
        work()
    begin, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < SECONDS:
        work()
        done += pictures
    return done / spent


def embed_in_two(device: str, model: str) -> list[Rows]:
    """Embed the pictures in two processes on one device at once; what those give that end well."""
    command = [sys.executable, "-m", "benchmarks.gpu.check", "--device", device, "--model", model, "--vectors"]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.npy" for number in range(2)]
        running = [subprocess.Popen([*command, str(file)]) for file in files]
        return [np.load(file) for process, file in zip(running, files, strict=True) if process.wait() == 0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every check is good, 1 when one is not, 3 where there is no such device."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.check", description=__doc__)
    parser.add_argument("--device", default="", help="cuda, cuda:1, xpu, mps, ..., or cpu to try the check itself")
    parser.add_argument("--model", default="", help="folder of a checkpoint; a ViT-B/32 of random weights by default")
    parser.add_argument("--vectors", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    here = kind_here().type
    device = torch.device(options.device or (here if here != "cpu" else "cuda"))
    if device.type not in ("cpu", here):
        print(
            f"error: torch finds no device of the type {device.type} here: install its build for that, or name another "
            "--device.",
            file=sys.stderr,
        )
        return ServiceMissing.exit_code
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or str(random_vit_b32(Path(folder)))
        if options.vectors:
            embedder = Embedder(model, device, "auto", PICTURES)
            np.save(options.vectors, embedder.embed_pictures(noise(embedder, PICTURES)))
            return 0
        print("| check | | figure |\n|---|---|---|", flush=True)
        found = []
        for row in rows(device, model, partial(embed_in_two, str(device))):
            found.append(row)
            print(f"| {row.check} | {'good' if row.good else 'BAD'} | {row.figure} |", flush=True)
    print(json.dumps({"device": found[0].figure, "checks": len(found), "good": sum(row.good for row in found)}))
    return 0 if all(row.good for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
