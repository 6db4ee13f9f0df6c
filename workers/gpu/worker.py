"""The process of one GPU worker: one device, warm models, an ordinary Celery worker on the thread pool."""

import logging
import os
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from celery.signals import worker_shutting_down
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from tenacity import RetryCallState, before_sleep_log, retry, retry_if_exception, wait_exponential

import workers.gpu.tasks
import workers.http_tasks.pictures  # noqa: F401, these two imports register the tasks that this worker takes
from settings import Settings, load_settings
from settings.errors import DarkroomError, WrongUse
from settings.redis_errors import REDIS_ERRORS, may_pass
from tasks.app import app
from tasks.checkpoint import PREPROCESSING, null_model
from tasks.envelope import files_header
from tasks.ledger import Ledger
from tasks.messages import PointsMessage, Target
from tasks.queues import BY_CONTENT, COLLECTION_NAME, EMBED, ENSURE, FILES, STORE_POINTS, files_of_worker
from tasks.registry import node_name
from tasks.rpc import ask
from workers.consume import consume
from workers.gpu import state
from workers.gpu.delivery import KnownContent
from workers.gpu.device_failure import raise_if_device_failed
from workers.gpu.pipeline import Pipeline
from workers.gpu.reroute import Rerouter, gpu_workers, worker_publisher
from workers.inference.hardware import batch_sizes, in_flight, parallel_batches, pick_device
from workers.metrics import retried
from workers.presence import sign_in

log = logging.getLogger("darkroom.gpu")

# The question is lost if its storage worker is killed; to compute known content again costs less than a longer wait.
LOOK_UP_SECONDS = 10.0
# After SIGTERM, for the batches in the models; shorter than the supervisor's grace time, after which it sends SIGKILL.
GRACE_SECONDS = 6.0


def run(name: str) -> None:
    """Load the models, then consume until SIGTERM; raises WrongUse or ServiceMissing when a model cannot be loaded.

    Raises DeviceFailed when the worker has stopped because its device does not compute.
    """
    sign_in(name)
    # Loaded before the first message is taken, so that a worker that consumes can also compute.
    pipeline, device = _build_pipeline()
    pipeline.rerouter = Rerouter(node_name(name), partial(gpu_workers, state.client()), worker_publisher(app))
    state.set_pipeline(pipeline)
    settings = pipeline.settings
    files_in_flight = in_flight(settings, pipeline.clip_batcher.max_batch)
    threads = max(2, files_in_flight // settings.ingest.files_per_task)
    queues = [files_of_worker(node_name(name)), FILES]
    consume(name, queues, threads, interactive=EMBED, has=_has(pipeline), device=device)
    raise_if_device_failed()


def _has(pipeline: Pipeline) -> Target:
    return Target(COLLECTION_NAME, pipeline.clip.name, pipeline.blip.name if pipeline.blip is not None else "")


def _build_pipeline() -> tuple[Pipeline, str]:
    settings = load_settings()
    if null_model(settings.models.clip) is not None:
        return _null_pipeline(settings)
    import torch
    from transformers.utils import logging as transformers_logging

    from workers.inference.blip import Blip
    from workers.inference.clip import Clip

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = pick_device()
    parts, threads = parallel_batches(settings, device.type)
    torch.set_num_threads(threads)
    batch_clip, batch_blip = batch_sizes(settings, device.type)
    clip = Clip(settings.models.clip, device, settings.gpu.dtype, batch_clip, parts)
    _ask_for_collection(clip.dim, clip.name)
    blip = None
    if settings.models.captions:
        tokens = settings.models.max_caption_tokens
        blip = Blip(settings.models.blip, device, settings.gpu.dtype, batch_blip, tokens, parts)
    log.warning("ready on %s: %s in %s, captions by %s", device, clip.name, clip.dtype, blip.name if blip else "nobody")
    look_up = partial(_look_up, clip.name)
    pipeline = Pipeline(settings, clip, blip, look_up, _publish, device.type, _count_computed)
    return pipeline, torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _null_pipeline(settings: Settings) -> tuple[Pipeline, str]:
    from workers.inference.null import NullClip

    if settings.models.captions:
        raise WrongUse(f'models.clip = "{settings.models.clip}" writes no captions: set models.captions = false.')
    clip = NullClip(settings.models.clip)
    _ask_for_collection(clip.dim, clip.name)
    log.warning("ready without a model: %s", settings.models.clip)
    look_up = partial(_look_up, clip.name)
    return Pipeline(settings, clip, None, look_up, _publish, count=_count_computed), ""


def _ask_for_collection(dim: int, clip_model: str) -> None:
    with suppress(*REDIS_ERRORS):  # the first batch asks again
        app.send_task(ENSURE, kwargs={"target": Target(COLLECTION_NAME, clip_model).to_wire(), "dim": dim})


def _look_up(clip_model: str, shas: list[str]) -> list[KnownContent | None]:
    try:
        answer = ask(BY_CONTENT, LOOK_UP_SECONDS, sha256s=shas, clip_model=clip_model, preprocessing=PREPROCESSING)
    except (TimeoutError, OperationalError, RedisError, DarkroomError) as error:
        log.warning("no answer about known content, so it is computed: %s", error)
        return [None] * len(shas)
    known = {sha: KnownContent(np.frombuffer(vector, "<f4"), payload) for sha, (vector, payload) in answer.items()}
    return [known.get(sha) for sha in shas]


def _log_retry(retry_state: RetryCallState) -> None:
    retried("publish")
    before_sleep_log(log, logging.WARNING)(retry_state)


@retry(
    # While the broker is away this waits: the files stay unacknowledged, so nothing is lost and nothing fails.
    retry=retry_if_exception(may_pass),
    wait=wait_exponential(0.2, max=5),
    before_sleep=_log_retry,
)
def _publish(message: PointsMessage) -> None:
    summary = f"{len(message.numbers)} files of {message.job}"
    header = files_header(message.job, message.numbers)
    app.send_task(STORE_POINTS, kwargs=message.to_wire(), argsrepr=summary, kwargsrepr="{}", headers=header)


def _count_computed(job: str, embedded: int, captioned: int) -> None:
    with suppress(RedisError):  # only a statistic; no file depends on it
        Ledger(state.client(), job).computed(embedded, captioned)


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    # What waits for a model is requeued at once; what a model computes may finish.
    log.warning("stopping: finishing what is in the models (pid %d)", os.getpid())
    state.stop(GRACE_SECONDS)
