"""vs_infinity: pictures that 32 clients embed over HTTP, by `darkroom web` and by infinity, a server for embeddings.

infinity runs in a virtual environment of its own, with the same weights in the files that its older transformers reads.
On a CPU it computes pictures in float32, whatever precision it is asked for, but for int8: `_best` is that, and it does
not ask what int8 loses.
"""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bench_stack import START_SECONDS, free_port, kept_up
from benchmarks.figures.bounds import Goal, at_least
from benchmarks.gallery.embed import CLIENTS, PICTURES, by_many_clients
from benchmarks.gallery.site import Client, served
from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import MP_03, pictures, random_vit_b32
from benchmarks.peers.comparison import peer_python
from settings.errors import ServiceMissing

# Its [vision] extra asks for torchvision, whose build must fit torch's; a CLIP needs none of it.
INFINITY = ("infinity-emb[server,torch]==0.0.78", "torch==2.13.0", "transformers==4.47.1", "aiohttp", "pillow", "timm")
SERVED = "clip"


def vs_infinity(scratch: Path, quick: bool) -> list[Figure]:
    """The ratio of pictures per second, each client sending one of 0.3 MP at a time, in both precisions of infinity."""
    python = peer_python("infinity", INFINITY)
    checkpoint = random_vit_b32(scratch / "clip")
    older = _for_older_transformers(checkpoint, scratch / "clip-4")
    files = pictures(scratch / "pictures", 2 * CLIENTS if quick else PICTURES, MP_03)
    inside = [base64.b64encode(path.read_bytes()).decode() for path in files]
    for_us = [json.dumps({"images": [each]}).encode() for each in inside]
    for_them = [
        json.dumps({"model": SERVED, "modality": "image", "input": [f"data:image/jpeg;base64,{each}"]}).encode()
        for each in inside
    ]
    figures = []
    with kept_up(scratch, MODELS__CLIP=str(checkpoint), MODELS__CAPTIONS="false") as stack, served(stack) as port:
        ours = partial(by_many_clients, port, "/api/v1/embed", for_us, "vectors")
        ours()
        goals: dict[str, Goal | None] = {"float32": at_least(1.5, floor=1), "int8": None}
        for precision, name in (("float32", "vs_infinity"), ("int8", "vs_infinity_best")):
            with _infinity(python, older, precision, scratch / f"{precision}.log") as theirs:
                rate = partial(by_many_clients, theirs, "/embeddings", for_them, "data")
                rate()
                figures.append(
                    compare(
                        name, ours, rate, "images/s", 1 if quick else REPEATS,
                        goals[precision], f"{stack.precision()} / {precision}",
                    )
                )  # fmt: skip
    return figures


@contextmanager
def _infinity(python: Path, checkpoint: Path, precision: str, log: Path) -> Iterator[int]:
    """The port of a server of infinity; raises ServiceMissing where it does not answer."""
    port = free_port()
    command: list[str | Path] = [
        python.with_name("infinity_emb"), "v2", "--model-id", checkpoint, "--served-model-name", SERVED,
        "--engine", "torch", "--device", "cpu", "--dtype", precision, "--no-bettertransformer",
        "--no-model-warmup", "--port", str(port),
    ]  # fmt: skip
    env = os.environ | {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    with log.open("wb") as file:
        server = subprocess.Popen(command, env=env, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                Client(port).get("/health")
                break
            except (OSError, RuntimeError):
                if server.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text(errors="replace").strip().splitlines()[-1:]
                    raise ServiceMissing(f"infinity does not answer: {''.join(said)}") from None
                time.sleep(0.2)
        yield port
    finally:
        server.terminate()
        server.wait()


def _for_older_transformers(checkpoint: Path, folder: Path) -> Path:
    """The same checkpoint with its processor in the files of transformers 4."""
    shutil.copytree(checkpoint, folder)
    processor = folder / "processor_config.json"
    pictures_ = json.loads(processor.read_text())["image_processor"] | {"image_processor_type": "CLIPImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures_))
    processor.unlink()
    tokens = folder / "tokenizer_config.json"
    tokens.write_text(json.dumps(json.loads(tokens.read_text()) | {"tokenizer_class": "CLIPTokenizerFast"}))
    return folder
