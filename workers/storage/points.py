"""Stores points: one confirmed upsert for a batch, then the ledger, then the acknowledgement of the message."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from celery import Task
from celery.exceptions import Reject
from redis.exceptions import RedisError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_when_event_set, wait_exponential

from pictures.uris import point_id
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from settings.redis_errors import may_pass
from tasks.app import app
from tasks.ledger import Failure, Ledger
from tasks.messages import PointsMessage, Target, UnknownSchema
from tasks.queues import ENSURE, STORE_POINTS
from tasks.recoveries import recovered
from tasks.registry import clear_fault, report_fault
from tasks.rpc.answers import this_worker
from workers.metrics import files_ended, retried
from workers.storage.catalog import BadPoint, Point
from workers.storage.places import with_places
from workers.storage.state import WORKER_NAME, catalog, client, record_write, stopping

log = logging.getLogger("darkroom.storage")


@app.task(name=STORE_POINTS, bind=True, acks_late=True)
def store_points(self: Task, **wire: Any) -> None:
    """Upsert one batch, wait until it is confirmed, then write the ledger; only then is the message acknowledged."""
    try:
        message = PointsMessage.from_wire(wire)
    except UnknownSchema as error:
        # No release puts it here, so none would take it either.
        log.error("%s", error)
        return
    ledger = Ledger(client(), message.job)
    try:
        # Only the collection: what was computed while other models were set is as good.
        if reason := Target(message.target.collection).mismatch(this_worker().name, this_worker().has):
            raise WrongUse(reason)
        refused = _upsert(_points_of(message), message)
        record_write()
        stored = [row for row in range(len(message.numbers)) if row not in refused]
        numbers, reused = [message.numbers[row] for row in stored], [message.reused[row] for row in stored]
        _retry_until_available(lambda: ledger.stored(numbers, reused))
    except Exception as error:  # what is not understood fails this batch, not the worker
        if _may_pass(error):
            # Raised only while this worker stops; the next one takes the batch.
            raise Reject(str(error), requeue=True) from error
        if not isinstance(error, DarkroomError):
            log.exception("a batch of job %s", message.job)
        refused = dict.fromkeys(range(len(message.numbers)), str(error) or type(error).__name__)
    else:
        files_ended("stored", len(stored))
        files_ended("reused", sum(reused))
    failures = [
        Failure(message.numbers[row], message.payloads[row]["uri"], "store", reason) for row, reason in refused.items()
    ]
    if failures:
        _retry_until_available(lambda: ledger.failed(failures))
        files_ended("failed", len(failures))


@app.task(name=ENSURE, acks_late=False)
def ensure_collection(target: list[str | None], dim: int) -> None:
    """Create the collection while the GPU worker still loads models, because this takes seconds on a slow disk.

    An error here is only logged: the first batch meets it again and reports it.
    """
    try:
        wanted = Target.from_wire(target)
        if reason := wanted.mismatch(this_worker().name, this_worker().has):
            raise WrongUse(reason)
        catalog().ensure(dim, wanted.clip or "")
    except DarkroomError as error:
        log.warning("%s", error)


def _points_of(message: PointsMessage) -> list[Point]:
    rows = np.frombuffer(message.vectors, dtype="<f4").reshape(len(message.numbers), message.dim)
    return [
        Point(point_id(payload["uri"]), vector, payload)
        for payload, vector in zip(with_places(message.payloads), rows, strict=True)
    ]


def _upsert(points: list[Point], message: PointsMessage) -> dict[int, str]:
    """Write a batch; returns row -> reason for the points that the catalog refuses."""

    def write() -> None:
        # Each time, because the collection may be gone after a wait.
        catalog().ensure(message.dim, message.clip_model)
        catalog().upsert(points)

    try:
        _retry_until_available(write)
    except BadPoint as error:
        if len(points) == 1:
            return {0: str(error)}
        # One by one, so that a bad point fails alone.
        return {row: reason for row, point in enumerate(points) for reason in _upsert([point], message).values()}
    return {}


def _retry_until_available(operation: Callable[[], None]) -> None:
    """Repeat an operation while a service is away, and report it: nothing is dropped; the window stops the producer."""
    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_exponential(0.2, max=10),
        stop=stop_when_event_set(stopping),
        before_sleep=_report_retry,
        reraise=True,
    )
    retrying(operation)
    if retrying.statistics["attempt_number"] > 1:
        with suppress(RedisError):
            clear_fault(client(), WORKER_NAME)


def _may_pass(error: BaseException) -> bool:
    # What Redis answers about a fault in what it was asked is the fault of this batch, and must not be asked for ever.
    return isinstance(error, ServiceMissing) or (isinstance(error, RedisError) and may_pass(error))


def _report_retry(retry_state: RetryCallState) -> None:
    error = retry_state.outcome.exception() if retry_state.outcome else None
    retried("store")
    recovered(client(), "store_retried")
    log.warning("waiting (try %d): %s", retry_state.attempt_number, error)
    if isinstance(error, DarkroomError):
        with suppress(RedisError):  # it may be away or refuse as well
            report_fault(client(), WORKER_NAME, str(error))
