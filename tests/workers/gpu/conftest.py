"""Pipelines of the shipped models."""

from collections.abc import Iterator

import pytest
import redis

from tests.workers.gpu.bench import Bench, LookUp, OpenBench
from workers.inference.captioners.captioner import Captioner
from workers.inference.embedders.embedder import Embedder


@pytest.fixture
def open_bench(clip: Embedder, blip: Captioner, client: redis.Redis) -> Iterator[OpenBench]:
    """Opens pipelines; the arguments say whether with captions and with which known content."""
    opened: list[Bench] = []

    def open_one(captions: bool = False, look_up: LookUp = lambda shas: [None] * len(shas)) -> Bench:
        opened.append(Bench(clip, blip if captions else None, client, look_up))
        return opened[-1]

    yield open_one
    for bench in opened:
        bench.pipeline.close()
