"""Points to store: picture number n always has the same id, vector and payload."""

import uuid
from typing import Any

import numpy as np

from workers.storage.catalog import Point

DIM = 16
MODEL = "models/shapes-clip"
PREPROCESSING = "1"


def identity(number: int) -> str:
    """The id of picture `number`."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"file:///pictures/{number}.jpg"))


def picture(number: int, **payload: Any) -> Point:
    """Picture `number`, with these fields of its payload set otherwise."""
    vector = np.random.default_rng(number).standard_normal(DIM).astype(np.float32)
    fields = {
        "uri": f"file:///pictures/{number}.jpg",
        "root": "/pictures",
        "name": f"{number}.jpg",
        "sha256": f"{number:064x}",
        "bytes": 1000 + number,
        "mtime": 1_700_000_000_000_000_000 + number,
        "format": ("JPEG", "PNG", "WEBP")[number % 3],
        "width": 100 * number,
        "height": 80,
        "taken_at": f"2024-01-{number % 28 + 1:02d}T12:00:00",
        "camera": "X100" if number % 2 else None,
        "lens": None,
        "gps": {"lat": 50.0 + number, "lon": 10.0},
        "caption": "a large red circle above a small blue square" if number % 2 else "a green triangle",
        "clip_model": MODEL,
        "preprocessing": PREPROCESSING,
        "schema": 1,
    }
    return Point(identity(number), vector / np.linalg.norm(vector), fields | payload)
