"""What every task of a GPU worker shares: the one pipeline of this process, its Redis client, and whether it stops."""

import threading
from functools import cache
from typing import TYPE_CHECKING

import redis

from settings import load_settings
from tasks.broker import redis_client

if TYPE_CHECKING:
    # Not imported in earnest: Flower knows the tasks without what they need.
    from workers.gpu.pipeline import Pipeline

stopping = threading.Event()
_pipeline: "Pipeline | None" = None


def open_process(pipeline: "Pipeline") -> None:
    """Make this the pipeline of the process."""
    global _pipeline
    _pipeline = pipeline


def pipeline() -> "Pipeline":
    """The pipeline of this process."""
    if _pipeline is None:
        raise RuntimeError("start GPU workers by `python -m workers gpu`")
    return _pipeline


def stop(seconds: float) -> None:
    """Begin nothing more; what the models hold gets `seconds` to finish."""
    stopping.set()
    if _pipeline is not None:
        _pipeline.hand_back(seconds)


@cache
def client() -> redis.Redis:
    """One Redis client for all threads of this process; its pool is thread-safe."""
    return redis_client(load_settings())
