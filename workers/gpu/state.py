"""What the tasks of a GPU worker share: the pipeline of this process, its Redis client, and whether it is stopping."""

import threading
from functools import cache
from typing import TYPE_CHECKING

import redis

from settings import load_settings
from tasks.broker import redis_client

if TYPE_CHECKING:
    # Imported for the types only: Flower imports the tasks, and needs none of the libraries behind the pipeline.
    from workers.gpu.pipeline import Pipeline

stopping = threading.Event()
_pipeline: "Pipeline | None" = None


def set_pipeline(pipeline: "Pipeline") -> None:
    """Set the pipeline of this process."""
    global _pipeline
    _pipeline = pipeline


def pipeline() -> "Pipeline":
    """The pipeline of this process."""
    if _pipeline is None:
        raise RuntimeError("start GPU workers by `python -m workers gpu`")
    return _pipeline


def stop(grace_seconds: float) -> None:
    """Start nothing more; what the models compute gets `grace_seconds` to finish."""
    stopping.set()
    if _pipeline is not None:
        _pipeline.cancel(grace_seconds)


@cache
def client() -> redis.Redis:
    """One Redis client for all threads of this process; its pool is thread-safe."""
    return redis_client(load_settings())
