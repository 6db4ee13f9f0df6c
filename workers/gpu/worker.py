"""The process of one GPU worker: one device, warm models, an ordinary Celery worker on the thread pool."""

import logging
import os
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

import numpy as np
from celery import Task
from celery.exceptions import Reject
from celery.signals import worker_shutting_down
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from tenacity import RetryCallState, before_sleep_log, retry, retry_if_exception_type, wait_exponential

import workers.gpu.embed
import workers.http.pictures  # noqa: F401, its import registers what other programs may ask for
from settings import Settings, load_settings
from tasks.app import app, redis_client
from tasks.checkpoint import PREPROCESSING, null_model
from tasks.errors import DarkroomError, WrongUse
from tasks.ledger import Ledger
from tasks.messages import FilesMessage, PointsMessage, UnknownSchema
from tasks.presence import node_name
from tasks.queues import BY_CONTENT, EMBED, EMBED_TEXTS, ENSURE, FILES, PROCESS_FILES, STORE_POINTS, files_of_worker
from tasks.rpc import answer, ask
from workers.consume import consume
from workers.gpu.elsewhere import Elsewhere, publisher, takers_of_files
from workers.gpu.files_failed import FilesFailed
from workers.gpu.hardware import batch_sizes, in_flight, pick_device, streams
from workers.gpu.pipeline import Pipeline
from workers.gpu.work import Known
from workers.metrics import files_ended, retried

log = logging.getLogger("darkroom.gpu")

# A storage worker that was killed takes the question with it; computing what may be known costs less than waiting.
LOOK_UP_SECONDS = 10.0
UNKNOWN_SCHEMA_SECONDS = 1.0
# After SIGTERM, for the batches in the models: within the supervisor's grace time, after which it sends SIGKILL.
MODEL_SECONDS = 6.0

_pipeline: Pipeline | None = None
_draining = False


def run(name: str) -> None:
    """Load the models, then consume until SIGTERM; raises WrongUse or ServiceMissing when a model cannot be had."""
    global _pipeline
    # Loaded before the first message is taken: a worker that consumes is a worker that can work.
    _pipeline = _build_pipeline()
    _pipeline.elsewhere = Elsewhere(node_name(name), takers_of_files(app), publisher(app))
    settings = _pipeline.settings
    files_at_once = in_flight(settings, _pipeline.clip_batcher.max_batch)
    threads = max(2, files_at_once // settings.ingest.files_per_task)
    consume(name, [files_of_worker(node_name(name)), FILES], threads, interactive=EMBED)


def _build_pipeline() -> Pipeline:
    settings = load_settings()
    if null_model(settings.models.clip) is not None:
        return _null_pipeline(settings)
    import torch
    from transformers.utils import logging as transformers_logging

    from workers.gpu.blip import Blip
    from workers.gpu.clip import Clip

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = pick_device()
    parts, threads = streams(settings, device.type)
    torch.set_num_threads(threads)
    batch_clip, batch_blip = batch_sizes(settings, device.type)
    clip = Clip(settings.models.clip, device, settings.gpu.dtype, batch_clip, parts)
    app.send_task(ENSURE, kwargs={"dim": clip.dim, "clip_model": clip.name})
    blip = None
    if settings.models.captions:
        tokens = settings.models.max_caption_tokens
        blip = Blip(settings.models.blip, device, settings.gpu.dtype, batch_blip, tokens, parts)
    log.warning("ready on %s: %s in %s, captions by %s", device, clip.name, clip.dtype, blip.name if blip else "nobody")
    return Pipeline(settings, clip, blip, lambda shas: _look_up(clip.name, shas), _publish, device.type, _count)


def _null_pipeline(settings: Settings) -> Pipeline:
    from workers.gpu.null import NullClip

    if settings.models.captions:
        raise WrongUse(f'models.clip = "{settings.models.clip}" writes no captions: set models.captions = false.')
    clip = NullClip(settings.models.clip)
    app.send_task(ENSURE, kwargs={"dim": clip.dim, "clip_model": clip.name})
    log.warning("ready without a model: %s", settings.models.clip)
    return Pipeline(settings, clip, None, lambda shas: _look_up(clip.name, shas), _publish, count=_count)


def pipeline() -> Pipeline:
    """The pipeline of this process."""
    if _pipeline is None:
        raise RuntimeError("start GPU workers by `python -m workers gpu`")
    return _pipeline


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
    if _draining:
        _hand_back(wire, redelivered, message.job)
        return
    own = pipeline()
    try:
        failures = own.process(message, Ledger(redis_client_of_process(), message.job), redelivered)
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

    return answer(work)


def redis_client_of_process() -> Any:
    """One Redis client for all threads of this process; its pool is thread-safe."""
    global _client
    if _client is None:
        _client = redis_client(load_settings())
    return _client


_client: Any = None


def _look_up(clip_model: str, shas: list[str]) -> list[Known | None]:
    try:
        found = ask(BY_CONTENT, LOOK_UP_SECONDS, sha256s=shas, clip_model=clip_model, preprocessing=PREPROCESSING)
    except (TimeoutError, OperationalError, RedisError, DarkroomError) as error:
        log.warning("no answer about known content, so it is computed: %s", error)
        return [None] * len(shas)
    rows = {sha: Known(np.frombuffer(vector, dtype="<f4"), payload) for sha, (vector, payload) in found.items()}
    return [rows.get(sha) for sha in shas]


def _again(state: RetryCallState) -> None:
    retried("publish")
    before_sleep_log(log, logging.WARNING)(state)


@retry(
    # A broker that is away is waited for: the files stay unacked, so nothing is lost and nothing is marked as failed.
    retry=retry_if_exception_type((OperationalError, RedisError, OSError)),
    wait=wait_exponential(0.2, max=5),
    before_sleep=_again,
)
def _publish(message: PointsMessage) -> None:
    shown = f"{len(message.numbers)} files of {message.job}"
    app.send_task(STORE_POINTS, kwargs=message.to_wire(), argsrepr=shown, kwargsrepr="{}")


def _count(job: str, embedded: int, captioned: int) -> None:
    with suppress(RedisError):  # a figure to look at; no file waits for it
        Ledger(redis_client_of_process(), job).computed(embedded, captioned)


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    # What no model holds goes back to the queue at once; what is in the models may be finished.
    global _draining
    _draining = True
    log.warning("stopping: finishing what is in the models (pid %d)", os.getpid())
    if _pipeline is not None:
        _pipeline.hand_back(MODEL_SECONDS)
