"""What runs on accelerators alone, tried on this one: captions by recorded steps, two batches in flight, decoding."""

import io
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.scenes import draw, fresh_scenes
from pictures.decode import decode
from pictures.picture import Pixels
from pictures.preprocessing import fit
from settings import Settings, load_settings
from settings.errors import ServiceMissing
from settings.loading import ROOT
from workers.inference.accelerators import synchronize
from workers.inference.captioners.blip import FastBlip
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.captioners.static_greedy import Record, StaticGreedyDecoder
from workers.inference.captioners.word_graph import WordGraphs
from workers.inference.device_decode.choice import device_decoder
from workers.inference.embedders.embedder import Embedder
from workers.inference.hardware import free_cached, is_out_of_memory
from workers.inference.self_check import SAME_PIXELS, picture
from workers.microbatcher import MicroBatcher

CPU = torch.device("cpu")
SCENES, WORDS = 64, 30
# Of the captions; where two words are nearly as likely, half a bit decides.
SAME_CAPTIONS = 0.97
# Pictures of 2 MP, decoded by so many threads at a time.
FILES, THREADS = 256, 32
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    check: str
    good: bool
    figure: str


def captions(device: torch.device) -> Iterator[Row]:
    """The captions of the shipped checkpoint against those of the CPU, and its steps with and without a graph."""
    folder = str(ROOT / "models" / "shapes-blip")
    right_by = checkpoint_captioner(folder, CPU, "float32", SCENES, WORDS)
    scenes = fresh_scenes(seed=2026, count=SCENES)
    shown = [fit(draw(scene, random.Random(n), 192), right_by.model_input) for n, scene in enumerate(scenes)]
    right = right_by.caption(shown)
    on_device = checkpoint_captioner(folder, device, "auto", SCENES, WORDS)
    found = on_device.caption(shown)
    same = sum(ours == theirs for ours, theirs in zip(found, right, strict=True))
    figure = f"{same} of {SCENES} as float32 on the CPU says, in {on_device.precision}"
    yield Row("captions", same >= SAME_CAPTIONS * SCENES, figure)
    yield graph(device, on_device.loaded(), shown, WordGraphs(device) if device.type == "cuda" else None)


def graph(device: torch.device, blip: Any, shown: Sequence[Pixels], record: Record | None) -> Row:
    """The decoder of a loaded captioner with steps that are recorded, against steps that are computed as they come."""
    check = "a word as one graph"
    if record is None:
        return Row(check, True, f"{device.type} has none")
    model = blip._model
    if not isinstance(model, FastBlip):
        return Row(check, False, "the layers of transformers are used")
    with torch.inference_mode():
        encoded = model.encode(blip._feed(shown, blip.dtype))
        plain = StaticGreedyDecoder(model.text_decoder, SCENES, WORDS)
        recorded = StaticGreedyDecoder(model.text_decoder, SCENES, WORDS, record)
        # Each size of a batch has a recording of its own, in the same memory.
        same = all(
            torch.equal(recorded(encoded[:count]), plain(encoded[:count]))
            for count in (SCENES, 1, SCENES // 2 + 1, SCENES)
        )
        steps = [_seconds(partial(decoder, encoded), device) for decoder in (plain, recorded)]
    is_recorded = recorded._record is not None
    figure = f"{steps[0] / steps[1]:.1f} times as fast as without" if is_recorded else "it could not be recorded"
    return Row(check, is_recorded and same, figure if same else f"other words; {figure}")


def in_flight(embedder: Embedder, pictures: Sequence[Pixels], right: Rows, least: float, laps: int = 1) -> Row:
    """Embeddings by one and by two batches in flight, of so many times these pictures, and how fast each is."""
    rates = []
    worst = 1.0
    for count in (1, 2):
        batcher: MicroBatcher[Pixels, Rows] = MicroBatcher(
            "gpu-check",
            lambda batch: list(embedder.embed_pictures(batch)),
            len(pictures) // 4,
            is_out_of_memory,
            free_cached,
            in_flight=count,
        )
        begin = time.perf_counter()
        futures = [batcher.submit(each) for each in [*pictures] * laps]
        found = np.stack([future.result() for future in futures])
        rates.append(len(found) / (time.perf_counter() - begin))
        batcher.close()
        worst = min(worst, float((np.tile(right, (laps, 1)) * found).sum(axis=1).min()))
    figure = f"{rates[1]:,.0f} pictures/s with two, {rates[0]:,.0f} with one; least cosine {worst:.6f}"
    return Row("two batches in flight", worst >= least, figure)


def decoding(embedder: Embedder, device: torch.device) -> Row:
    """JPEGs of 2 MP decoded on the device against the CPU, where nvImageCodec is installed."""
    check = "JPEG decoded on the device"
    settings = _with_decode(load_settings(), "cuda")
    target = embedder.vision().model_input
    try:
        decoder = device_decoder(settings, device, target)
    except ServiceMissing as error:
        return Row(check, True, f"the CPU does it: {error}".partition(". Run")[0])
    assert decoder is not None
    file = io.BytesIO()
    picture().resize((1632, 1224), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    data = file.getvalue()
    right = decode(data, settings.ingest.max_pixels, target, None).clip.astype(np.float32)
    with ThreadPoolExecutor(THREADS) as pool:
        decoder.decode(data, target)
        begin = time.perf_counter()
        found = list(pool.map(lambda _: decoder.decode(data, target), range(FILES)))
        rate = FILES / (time.perf_counter() - begin)
    decoder.close()
    made = [each.clip for each in found if each is not None]
    distance = max((float(np.linalg.norm(each - right) / np.linalg.norm(right)) for each in made), default=1.0)
    figure = f"{rate:,.0f} files/s of 2 MP by {THREADS} threads, {len(made)} of {FILES} decoded, {distance:.2%} off"
    return Row(check, len(made) == FILES and distance <= SAME_PIXELS, figure)


def _with_decode(settings: Settings, where: str) -> Settings:
    return settings.model_copy(update={"gpu": settings.gpu.model_copy(update={"decode": where})})


def _seconds(run: Any, device: torch.device) -> float:
    """The seconds of a run, the fastest of five."""
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        run()
        synchronize(device)
        taken.append(time.perf_counter() - begin)
    return min(taken)
