"""Fills the stack's collection for search_p50_ms, in a process with its settings: from FIRST up to POINTS points."""

import json
import sys
import time
from collections import deque

import numpy as np

from models.scenes import fresh_scenes
from settings import load_settings
from tasks.app import app
from tasks.broker import redis_client
from tasks.checkpoint import PAYLOAD_SCHEMA, PREPROCESSING, null_model, target_of
from tasks.ledger import Ledger
from tasks.messages import PointsMessage
from tasks.queues import STORE_POINTS

BATCH = 250
AT_ONCE = 8
SECONDS = 300.0
CAPTIONS = [scene.sentence for scene in fresh_scenes(seed=1, count=2000)]


def main(first: int, points: int) -> None:
    """Print how many points there are now, as JSON; raises TimeoutError where they are not stored."""
    settings = load_settings()
    model = null_model(settings.models.clip)
    if model is None:
        raise ValueError("this stack does not run the null model")
    rng = np.random.default_rng(first)
    ledger = Ledger(redis_client(settings), f"bench-fill-{first}")
    deadline = time.monotonic() + SECONDS
    sent: deque[int] = deque()
    for start in range(first, points, BATCH):
        numbers = list(range(start, min(start + BATCH, points)))
        rows = rng.normal(size=(len(numbers), model.dim)).astype("<f4")
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        message = PointsMessage(
            target=target_of(settings),
            job=ledger.job,
            dim=model.dim,
            numbers=numbers,
            vectors=rows.tobytes(),
            payloads=[_payload(number) for number in numbers],
            reused=[False] * len(numbers),
        )
        app.send_task(STORE_POINTS, kwargs=message.to_wire())
        sent.append(numbers[-1])
        while len(sent) >= AT_ONCE or (sent and numbers[-1] == points - 1):
            done = ledger.done(sent)
            sent = deque(number for number in sent if number not in done)
            time.sleep(0.01)
            if time.monotonic() > deadline:
                raise TimeoutError(f"points of {sent} are not stored after {SECONDS:g} s")
    print(json.dumps({"points": points}))


def _payload(number: int) -> dict[str, object]:
    name = f"IMG_{number:08}.jpg"
    return {
        "uri": f"file:///srv/photos/album-{number // 1000:05}/{name}",
        "root": "file:///srv/photos",
        "name": name,
        "sha256": f"{number:064x}",
        "bytes": 4_000_000 + number,
        "mtime": 1_700_000_000_000_000_000 + number,
        "format": "JPEG",
        "width": 4000,
        "height": 3000,
        "taken_at": f"2024-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00",
        "camera": f"Camera {number % 7}",
        "caption": CAPTIONS[number * 7919 % len(CAPTIONS)],
        "clip_model": "null",
        "preprocessing": PREPROCESSING,
        "schema": PAYLOAD_SCHEMA,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
