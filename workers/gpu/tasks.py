"""The Celery task of a GPU worker: the files of an ingest. The questions to it are in questions.py."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

from celery import Task
from celery.exceptions import Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pictures.uris import name_of
from settings.redis_errors import may_pass
from tasks.app import app
from tasks.envelope import files_header
from tasks.ledger import Failure, Ledger
from tasks.messages import FilesMessage, UnknownSchema
from tasks.queues import FILES, FILES_LATER, PROCESS_FILES
from tasks.recoveries import recovered
from tasks.rpc.answers import this_worker
from workers.gpu.delivery import Delivery
from workers.gpu.state import client, is_stopped, pipeline, stopping
from workers.logs import about_job
from workers.metrics import files_ended, retried

log = logging.getLogger("darkroom.gpu")

# A message that Redis does not let this worker finish comes again at once, so this keeps the loop slow.
REFUSED_SECONDS = 2.0
# A failed task names at most so many of its files.
MAX_NAMED_FILES = 5


class FilesFailed(Exception):
    """Files of a message failed and are in the ledger; the message is acknowledged nevertheless.

    It is raised only to make the failure visible, for example in Flower: the task's state becomes FAILURE.
    """

    @classmethod
    def of(cls, failures: Sequence[Failure], files: int) -> "FilesFailed":
        """The error for a message of `files` files; it names the first few that failed."""
        reasons = "; ".join(f"{name_of(failure.uri)}: {failure.reason}" for failure in failures[:MAX_NAMED_FILES])
        if len(failures) > MAX_NAMED_FILES:
            reasons += "; ..."
        return cls(reasons if files == 1 else f"{len(failures)} of {files} files failed: {reasons}")


# Where a request holds the delivery that was begun before its task.
BEGUN = "darkroom-begun"


def opened(request: dict[str, Any]) -> Delivery | None:
    """The files of a message, to be begun by `start` before its task; None for one that its task must look at first."""
    if stopping.is_set() or (request.get("delivery_info") or {}).get("redelivered"):
        return None
    try:
        message = FilesMessage.from_wire(request["kwargs"])
    except Exception:  # its task says what is wrong with it
        return None
    if is_stopped(message.job) or message.target.mismatch(this_worker().name, this_worker().has):
        return None
    with about_job(message.job):
        return pipeline().open(message, Ledger(client(), message.job))


def start(delivery: Delivery, then: Callable[[], None]) -> None:
    """Begin these files; `then` is called once, when the task has nothing to wait for."""
    delivery.then = then
    pipeline().begin(delivery)


@app.task(name=PROCESS_FILES, bind=True, acks_late=True, throws=(FilesFailed,))
def process_files(self: Task, **wire: Any) -> None:
    """Process the files of one message; it is acknowledged when the broker has their points."""
    begun: Delivery | None = self.request.__dict__.pop(BEGUN, None)
    try:
        message = FilesMessage.from_wire(wire)
    except UnknownSchema as error:
        # No release puts it here, so none would take it either.
        log.error("%s", error)
        return
    if begun is None and is_stopped(message.job):
        return  # its producer was told by Ctrl-C, and the next ingest does these files
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    if redelivered:
        retried("redelivered")
        recovered(client(), "redelivered")
    if begun is None and stopping.is_set():
        _requeue(self, wire, redelivered)
        return
    try:
        ledger = Ledger(client(), message.job)
        if begun is not None:
            failures = pipeline().finish(begun)
        elif reason := message.target.mismatch(this_worker().name, this_worker().has):
            failures = pipeline().rerouter.refuse(message, ledger, reason)
        else:
            failures = pipeline().process(message, ledger, redelivered)
    except (RedisError, OperationalError) as error:
        if not may_pass(error):
            log.exception("a message of job %s", message.job)
            raise
        # The ledger does not know the outcome of these files, so they are delivered again.
        stopping.wait(REFUSED_SECONDS)
        raise Reject(str(error), requeue=True) from error
    except CancelledError:
        if is_stopped(message.job):
            return
        _requeue(self, wire, redelivered)
        return
    if failures:
        files_ended("failed", len(failures))
        raise FilesFailed.of(failures, len(message.files))


def _requeue(task: Task, wire: dict[str, Any], redelivered: bool) -> None:
    recovered(client(), "handed_back")
    if redelivered:
        raise Reject("this worker is stopping", requeue=True)
    # Published as a new message: a rejected one counts as redelivered, as if these files had killed this worker.
    app.send_task(
        PROCESS_FILES,
        kwargs=wire,
        queue=FILES_LATER if (task.request.delivery_info or {}).get("routing_key") == FILES_LATER else FILES,
        root_id=wire["job"],
        argsrepr=wire["files"][0][1],
        kwargsrepr="{}",
        headers=files_header(wire["job"], [number for number, *_ in wire["files"]]),
    )
