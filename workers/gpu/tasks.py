"""The Celery tasks of a GPU worker: the files of an ingest, and embeddings for a search."""

import logging
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any

from celery import Task
from celery.exceptions import Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pictures.picture import LoadError
from pictures.uris import name_of
from settings.errors import WrongUse
from settings.redis_errors import may_pass
from tasks.app import app
from tasks.envelope import files_header
from tasks.ledger import Failure, Ledger
from tasks.messages import FilesMessage, UnknownSchema
from tasks.queues import EMBED_PICTURE, EMBED_TEXTS, PROCESS_FILES
from tasks.rpc import answers, this_worker
from workers.gpu.state import client, pipeline, stopping
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


@app.task(name=PROCESS_FILES, bind=True, acks_late=True, throws=(FilesFailed,))
def process_files(self: Task, **wire: Any) -> None:
    """Process the files of one message; it is acknowledged when the broker has their points."""
    try:
        message = FilesMessage.from_wire(wire)
    except UnknownSchema as error:
        # No release puts it here, so none would take it either.
        log.error("%s", error)
        return
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    if redelivered:
        retried("redelivered")
    if stopping.is_set():
        _requeue(wire, redelivered, message.job)
        return
    try:
        ledger = Ledger(client(), message.job)
        if reason := message.target.mismatch(this_worker().name, this_worker().has):
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
        _requeue(wire, redelivered, message.job)
        return
    if failures:
        files_ended("failed", len(failures))
        raise FilesFailed.of(failures, len(message.files))


def _requeue(wire: dict[str, Any], redelivered: bool, job: str) -> None:
    if redelivered:
        raise Reject("this worker is stopping", requeue=True)
    # Published as a new message: a rejected one counts as redelivered, as if these files had killed this worker.
    app.send_task(
        PROCESS_FILES,
        kwargs=wire,
        root_id=job,
        argsrepr=wire["files"][0][1],
        kwargsrepr="{}",
        headers=files_header(job, [number for number, _ in wire["files"]]),
    )


@answers(EMBED_TEXTS)
def embed_texts(texts: list[str]) -> dict[str, Any]:
    """Embed texts for a search: float32 bytes, `dim` numbers a row, and the model's name."""
    clip = pipeline().clip
    return {"vectors": clip.embed_texts(texts).tobytes(), "dim": clip.dim, "clip_model": clip.name}


@answers(EMBED_PICTURE)
def embed_picture(data: bytes, name: str) -> dict[str, Any]:
    """Embed one picture, decoded as an ingest would: float32 bytes, `dim` numbers, and the model's name.

    `name` is the name of the picture in the error, if it cannot be decoded.
    """
    models = pipeline()
    try:
        picture = models.decode_query(data, name)
    except LoadError as error:
        raise WrongUse(f"{name} cannot be searched by: {error.reason}.") from error
    vector = models.clip_batcher.submit(picture.clip).result()
    return {"vectors": vector.astype("<f4").tobytes(), "dim": models.clip.dim, "clip_model": models.clip.name}
