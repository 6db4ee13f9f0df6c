"""A large collection of made-up points: what a real one holds, and always the same."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pictures.uris import point_id
from settings import Settings
from settings.sections import Data
from tasks.checkpoint import PAYLOAD_SCHEMA, PREPROCESSING, checkpoint_name
from tasks.stack.paths import stack_paths
from workers.storage.catalog import Point
from workers.storage.embedded.catalog import EdgeCatalog

DIM = 512
MODEL = f"null:10:{DIM}"
BATCH = 256
# One file in so many is a byte-identical copy of the next one.
COPIES = 50
# So many rows of a batch are noisy copies of others of it.
NEAR = 13
CLUSTERS = 200
NIKON = {"all": [{"field": "camera", "is": "NIKON Z 8"}]}

Rows = NDArray[np.float32]


def catalog_of(scratch: Path) -> EdgeCatalog:
    """The catalog of a stack whose data lies below `scratch`."""
    settings = Settings.model_construct(data=Data(dir=scratch / "data"))
    local = stack_paths(settings)
    local.create()
    return EdgeCatalog(local.catalog, settings.qdrant.collection)


def noise(start: int, count: int) -> Rows:
    """Directions that have nothing in common, float32 (count, DIM), each row of length one."""
    return _of_length_one(np.random.default_rng(start).standard_normal((count, DIM), dtype=np.float32))


def embeddings(start: int, count: int) -> Rows:
    """Rows in a narrow cone and in clusters, as CLIP makes them; the first NEAR are noisy copies of the last ones."""
    middle, centres, spread = _shape()
    rng = np.random.default_rng(start)
    rows = middle + centres[rng.integers(0, CLUSTERS, count)]
    rows += 0.7 * rng.standard_normal((count, DIM), dtype=np.float32) * spread
    rows = _of_length_one(rows)
    copies = min(NEAR, count // 2)
    blur = rng.uniform(0, 0.4, (copies, 1)) * rng.standard_normal((copies, DIM)) / np.sqrt(DIM)
    rows[:copies] = rows[count - copies :] + blur
    return _of_length_one(rows)


def batches(first: int, last: int, vectors: Callable[[int, int], Rows]) -> Iterator[list[Point]]:
    """The points from number `first` up to `last`, BATCH at a time."""
    for start in range(first, last, BATCH):
        count = min(BATCH, last - start)
        payloads = [payload(start + row) for row in range(count)]
        rows = vectors(start, count)
        yield [Point(point_id(str(each["uri"])), row, each) for each, row in zip(payloads, rows, strict=True)]


def payload(number: int) -> dict[str, object]:
    """What is noted of a real picture, made up."""
    name = f"IMG_{number:08}.jpg"
    return {
        "uri": f"file:///srv/photos/album-{number // 1000:05}/{name}",
        "root": "file:///srv/photos",
        "name": name,
        "sha256": f"{number if number % COPIES else number + 1:064x}",
        "bytes": 4_000_000 + number,
        "mtime": 1_700_000_000_000_000_000 + number,
        "format": ("JPEG", "PNG", "HEIF", "WEBP")[number % 4],
        "width": 4000,
        "height": 3000,
        "taken_at": f"{2015 + number % 10}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00",
        "camera": ("Canon EOS R5", "NIKON Z 8", "SONY ILCE-7M4", "Apple iPhone 15 Pro", None)[number % 5],
        "gps": {"lat": 40 + number % 1000 / 100, "lon": 10 + number % 777 / 100} if number % 2 else None,
        "keywords": [f"word {number % 1000}"],
        "caption": f"a large red circle above a small blue square, number {number % 10_000}",
        "clip_model": checkpoint_name(MODEL),
        "preprocessing": PREPROCESSING,
        "schema": PAYLOAD_SCHEMA,
    }


@cache
def _shape() -> tuple[Rows, Rows, Rows]:
    """The middle of the cone, the centres of its clusters from there, and how far rows lie apart in each dimension."""
    rng = np.random.default_rng(2026)
    middle = 1.2 * rng.standard_normal(DIM)
    centres = rng.standard_normal((CLUSTERS, DIM)) * rng.exponential(1, DIM) / 2
    return middle.astype(np.float32), centres.astype(np.float32), rng.exponential(1, DIM).astype(np.float32)


def _of_length_one(rows: Rows) -> Rows:
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
