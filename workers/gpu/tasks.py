"""The Celery tasks of a GPU worker: the files of an ingest, and embeddings for a search."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any

from celery import Task
from celery.exceptions import Reject
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pictures.decode import decode
from pictures.picture import LoadError
from pictures.uris import name_of
from settings.errors import WrongUse
from tasks.app import app
from tasks.ledger import Failure, Ledger
from tasks.messages import FilesMessage, UnknownSchema
from tasks.queues import EMBED_PICTURE, EMBED_TEXTS, PROCESS_FILES
from tasks.rpc import reply
from workers.gpu.state import client, pipeline, stopping
from workers.metrics import files_ended, retried

log = logging.getLogger("darkroom.gpu")

UNKNOWN_SCHEMA_SECONDS = 1.0
# A failed task names so many of its files.
NAMED = 5


class FilesFailed(Exception):
    """Files of a message failed, and the ledger has them: the message is acked all the same.

    It is raised for whoever looks at the task, in Flower for one: its state becomes FAILURE, with the reason.
    """

    @classmethod
    def of(cls, failures: Sequence[Failure], files: int) -> "FilesFailed":
        """The failures of a message of `files` files in words, the first few by name."""
        named = "; ".join(f"{name_of(failure.uri)}: {failure.reason}" for failure in failures[:NAMED])
        more = "; ..." if len(failures) > NAMED else ""
        return cls(f"{named}{more}" if files == 1 else f"{len(failures)} of {files} files failed: {named}{more}")


@app.task(name=PROCESS_FILES, bind=True, acks_late=True, throws=(FilesFailed,))
def process_files(self: Task, **wire: Any) -> None:
    """Take the files of one message to the storage queue; acked when the broker has their points."""
    try:
        message = FilesMessage.from_wire(wire)
    except UnknownSchema as error:
        log.error("%s", error)
        # It comes straight back until a worker of its release is there; slowly, so that it does not spin.
        time.sleep(UNKNOWN_SCHEMA_SECONDS)
        raise Reject(str(error), requeue=True) from error
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    if redelivered:
        retried("redelivered")
    if stopping.is_set():
        _hand_back(wire, redelivered, message.job)
        return
    try:
        failures = pipeline().process(message, Ledger(client(), message.job), redelivered)
    except (RedisError, OperationalError) as error:
        # The ledger could not be told, so nobody knows yet how these files ended.
        raise Reject(str(error), requeue=True) from error
    except CancelledError:
        _hand_back(wire, redelivered, message.job)
        return
    if failures:
        files_ended("failed", len(failures))
        raise FilesFailed.of(failures, len(message.files))


def _hand_back(wire: dict[str, Any], redelivered: bool, job: str) -> None:
    if redelivered:
        raise Reject("this worker is stopping", requeue=True)
    # Anew, and not by a reject: that would mark the files as redelivered, as if this worker had died over them.
    app.send_task(PROCESS_FILES, kwargs=wire, root_id=job, argsrepr=wire["files"][0][1], kwargsrepr="{}")


@app.task(name=EMBED_TEXTS, ignore_result=False, acks_late=False)
def embed_texts(texts: list[str]) -> dict[str, Any]:
    """Embed texts for a search: float32 bytes, `dim` numbers a row, and the model's name."""

    def work() -> dict[str, Any]:
        clip = pipeline().clip
        return {"vectors": clip.embed_texts(texts).tobytes(), "dim": clip.dim, "clip_model": clip.name}

    return reply(work)


@app.task(name=EMBED_PICTURE, ignore_result=False, acks_late=False)
def embed_picture(data: bytes, name: str) -> dict[str, Any]:
    """Embed one picture, decoded as an ingest would: float32 bytes, `dim` numbers, and the model's name.

    `name` is how the sentence calls a picture that cannot be decoded.
    """

    def work() -> dict[str, Any]:
        worker = pipeline()
        try:
            picture = decode(data, worker.settings.ingest.max_pixels, worker.clip.model_input, None)
        except LoadError as error:
            raise WrongUse(f"{name} cannot be searched by: {error.reason}.") from error
        vector = worker.clip_batcher.submit(picture.clip).result()
        return {"vectors": vector.astype("<f4").tobytes(), "dim": worker.clip.dim, "clip_model": worker.clip.name}

    return reply(work)
