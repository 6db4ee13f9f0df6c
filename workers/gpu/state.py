"""What the tasks of a GPU worker share: the pipeline, the Redis client, and what is to stop: all, or some jobs."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import redis

from settings import load_settings
from tasks.broker import redis_client
from tasks.ledger import stopped_jobs

if TYPE_CHECKING:
    # Imported for the types only: Flower imports the tasks, and needs none of the libraries behind the pipeline.
    from workers.gpu.pipeline import Pipeline

STOPPED_SECONDS = 0.3
ANSWER_SECONDS = 3.0

stopping = threading.Event()
_pipeline: "Pipeline | None" = None
_stopped: "StoppedJobs | None" = None


def set_pipeline(pipeline: "Pipeline") -> None:
    """Set the pipeline of this process, and have it let go of the files of jobs that are stopped."""
    global _pipeline, _stopped
    _pipeline = pipeline
    _stopped = StoppedJobs(jobs_client(), pipeline.stop_job)


def is_stopped(job: str) -> bool:
    """True when a job was stopped: its files are not begun."""
    return _stopped is not None and job in _stopped


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


def jobs_client() -> redis.Redis:
    """The client of `StoppedJobs`, which asks again anyway: while Redis is away, no worker waits for it to begin."""
    return redis_client(load_settings(), ANSWER_SECONDS)


class StoppedJobs:
    """The jobs that Ctrl-C has ended: looks for them in Redis, in a thread, and tells `on_stop` of each new one."""

    def __init__(self, client: redis.Redis, on_stop: Callable[[str], None]) -> None:
        self._client = client
        self._on_stop = on_stop
        self._jobs: frozenset[str] = frozenset()
        self._ended = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._run, name="stopped-jobs", daemon=True)
        self._thread.start()

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(STOPPED_SECONDS):
            self._look()

    def _look(self) -> None:
        with suppress(redis.RedisError):  # asked again in a moment
            before, self._jobs = self._jobs, frozenset(stopped_jobs(self._client))
            for job in self._jobs - before:
                self._on_stop(job)
