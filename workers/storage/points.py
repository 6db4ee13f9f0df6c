"""The writing side of the storage worker: one confirmed upsert a batch, then the ledger, then the ack."""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from celery import Task
from celery.exceptions import Reject
from redis.exceptions import RedisError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential

from settings.errors import DarkroomError, ServiceMissing
from tasks.app import app
from tasks.ledger import Failure, Ledger
from tasks.messages import PointsMessage, UnknownSchema
from tasks.queues import ENSURE, STORE_POINTS
from tasks.registry import clear_fault, report_fault
from workers.metrics import files_ended, retried
from workers.storage.catalog import BadPoint, Point
from workers.storage.state import NAME, catalog, client, note_write, point_id, stopping

log = logging.getLogger("darkroom.storage")

UNKNOWN_SCHEMA_SECONDS = 1.0


@app.task(name=STORE_POINTS, bind=True, acks_late=True)
def store_points(self: Task, **wire: Any) -> None:
    """Upsert one batch, wait until it is confirmed, then tick the ledger: only then is the message acked."""
    try:
        message = PointsMessage.from_wire(wire)
    except UnknownSchema as error:
        log.error("%s", error)
        # It comes straight back until a worker of its release is there; slowly, so that it does not spin.
        time.sleep(UNKNOWN_SCHEMA_SECONDS)
        raise Reject(str(error), requeue=True) from error
    ledger = Ledger(client(), message.job)
    rows = np.frombuffer(message.vectors, dtype="<f4").reshape(len(message.numbers), message.dim)
    points = [
        Point(point_id(payload["uri"]), vector, payload) for payload, vector in zip(message.payloads, rows, strict=True)
    ]

    try:
        _patiently(lambda: catalog().ensure(message.dim, message.clip_model))
        refused = _upsert(points)
        note_write()
        good = [place for place in range(len(points)) if place not in refused]
        _patiently(
            lambda: ledger.stored([message.numbers[place] for place in good], [message.reused[place] for place in good])
        )
    except (ServiceMissing, RedisError) as error:
        # Only a worker that is stopping gives up waiting; the next one takes the batch.
        raise Reject(str(error), requeue=True) from error
    except Exception as error:
        if not isinstance(error, DarkroomError):
            log.exception("a batch of job %s", message.job)
        refused = dict.fromkeys(range(len(points)), str(error) or type(error).__name__)
    else:
        files_ended("stored", len(good))
        files_ended("reused", sum(message.reused[place] for place in good))
    failures = [
        Failure(message.numbers[place], points[place].payload["uri"], "store", reason)
        for place, reason in refused.items()
    ]
    if failures:
        _patiently(lambda: ledger.failed(failures))
        files_ended("failed", len(failures))


@app.task(name=ENSURE, acks_late=False)
def ensure_collection(dim: int, clip_model: str) -> None:
    """Create the collection while the other models still load, for that takes seconds on a slow disk.

    Whatever goes wrong here goes wrong again with the first batch, and is told there.
    """
    try:
        catalog().ensure(dim, clip_model)
    except DarkroomError as error:
        log.warning("%s", error)


def _upsert(points: list[Point]) -> dict[int, str]:
    """Write a batch; returns the places of the points that the catalog refuses, with the reason of each."""
    try:
        _patiently(lambda: catalog().upsert(points))
    except BadPoint as error:
        if len(points) == 1:
            return {0: str(error)}
        # One by one, so that a bad point fails alone.
        return {place: reason for place, point in enumerate(points) for reason in _upsert([point]).values()}
    return {}


def _patiently(work: Callable[[], None]) -> None:
    """Hold a batch for as long as a service is away, and say so: nothing is dropped; the window stops the producer."""
    retrying = Retrying(
        retry=retry_if_exception_type((ServiceMissing, RedisError)),
        wait=wait_exponential(0.2, max=10),
        stop=stop_when_event_set(stopping),
        before_sleep=_say,
        reraise=True,
    )
    retrying(work)
    if retrying.statistics["attempt_number"] > 1:
        clear_fault(client(), NAME)


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    retried("store")
    log.warning("waiting (try %d): %s", state.attempt_number, error)
    if isinstance(error, DarkroomError):
        report_fault(client(), NAME, str(error))
