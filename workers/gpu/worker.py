"""The process of one GPU worker: one device, warm models, an ordinary Celery worker on the thread pool."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from celery.signals import worker_shutting_down
from redis.exceptions import RedisError
from tenacity import RetryCallState, before_sleep_log, retry, retry_if_exception, wait_exponential

import workers.gpu.questions
import workers.gpu.tasks
import workers.http_tasks.pictures  # noqa: F401, these imports register the tasks that this worker takes
from settings import Settings, load_settings
from settings.errors import DarkroomError, WrongUse
from settings.redis_errors import may_pass, redis_errors
from tasks.app import app
from tasks.checkpoint import null_model
from tasks.envelope import files_header
from tasks.ledger import Ledger
from tasks.messages import PointsMessage, Target
from tasks.queues import BY_CONTENT, COLLECTION_NAME, EMBED, ENSURE, FILES, FILES_LATER, STORE_POINTS, files_of_worker
from tasks.registry import node_name, worker_name
from tasks.rpc import ask
from tasks.stack.paths import stack_paths
from workers.checkpoints.lazy import Lazy, Report
from workers.checkpoints.speed import tell_speed
from workers.consume import consume
from workers.gpu import state
from workers.gpu.delivery import KnownContent
from workers.gpu.device_failure import raise_if_device_failed
from workers.gpu.pipeline import Pipeline
from workers.gpu.reroute import Rerouter, gpu_workers, silent_gpu_workers, worker_publisher
from workers.inference.accelerators import device_name, keep_to_share
from workers.inference.captioners.captioner import captioner_of
from workers.inference.device_decode.lazy_decoder import LazyDecoder, may_decode
from workers.inference.embedders.embedder import Embedder
from workers.inference.hardware import (
    CPU_BATCH_CLIP,
    batch_sizes,
    device_type,
    loader_processes,
    parallel_batches,
    pick_device,
    task_threads,
)
from workers.inference.text_reader import TextReader
from workers.late_queues import LateQueues
from workers.metrics import retried
from workers.presence import sign_in

if TYPE_CHECKING:
    import torch

    from workers.inference.null import NullClip

log = logging.getLogger("darkroom.gpu")

# The question is lost if its storage worker is killed; to compute known content again costs less than a longer wait.
LOOK_UP_SECONDS = 10.0
# Pictures of so many clients share the batches of a model: a batch of a CPU is computed while the next is decoded.
QUESTIONS = 2 * CPU_BATCH_CLIP
# The setting ingest.captions and the device with which captions come later (when_captions in producer/ingest/start.py).
LATER = ("auto", "cpu")
# After SIGTERM, for the batches in the models; shorter than the supervisor's grace time, after which it sends SIGKILL.
GRACE_SECONDS = 6.0


def run(name: str, on_demand: bool = False) -> None:
    """Load the models, then consume until SIGTERM; raises WrongUse or ServiceMissing when a model cannot be loaded.

    With `on_demand` each model is loaded when it is first asked for: those that files need before the first file is
    taken, so that a worker that takes files can also compute. Raises DeviceFailed when the worker has stopped because
    its device does not compute.
    """
    presence = sign_in(name)
    pipeline, device = _build_pipeline(presence.loads)
    living, silent = (partial(listed, state.client()) for listed in (gpu_workers, silent_gpu_workers))
    pipeline.rerouter = Rerouter(node_name(name), living, worker_publisher(app), silent)
    state.set_pipeline(pipeline)
    settings = pipeline.settings
    threads = task_threads(settings, device not in ("", "cpu"), pipeline.models.largest_batch)
    files = [files_of_worker(node_name(name)), FILES]
    load = partial(_load_for_files, pipeline, device)
    late: list[LateQueues] = []
    if on_demand:
        late = _late(files, load, settings.ingest.captions == "later" or (settings.ingest.captions, device) == LATER)
    else:
        pipeline.clip.load_texts()
        load()
    speed_file = stack_paths(settings).speeds / f"{node_name(name)}.json"
    tell_speed(pipeline.models.speed, state.client(), worker_name(name), speed_file)
    consume(
        name,
        [*files, FILES_LATER],
        threads,
        interactive=EMBED,
        has=_has(pipeline),
        device=device,
        late=late,
        questions=QUESTIONS,
        pool="workers.gpu.task_pool:TaskPool",
    )
    raise_if_device_failed()


def _late(files: Sequence[str], load: Callable[..., None], captions_later: bool) -> list[LateQueues]:
    """The queues of files, each held back until what its messages need is loaded: captions last, if they come later."""
    if not captions_later:
        return [LateQueues([*files, FILES_LATER], load)]
    now = LateQueues(files, partial(load, captions=False))
    return [now, LateQueues([FILES_LATER], load, now)]


def _has(pipeline: Pipeline) -> Target:
    blip, ocr = (model.name if model is not None else "" for model in (pipeline.blip, pipeline.reader))
    return Target(COLLECTION_NAME, pipeline.clip.name, blip, ocr)


def _load_for_files(pipeline: Pipeline, device: str, captions: bool = True) -> None:
    pipeline.loaders.start()  # while the models load
    pipeline.models.load(captions)
    if pipeline.on_device is not None:
        pipeline.on_device.load()
    _ask_for_collection(pipeline.clip.dim, pipeline.clip.name)
    writer = pipeline.blip.name if pipeline.blip is not None and captions else "nobody"
    where = device or "no device"
    log.warning("ready on %s: %s in %s, captions by %s", where, pipeline.clip.name, pipeline.clip.precision, writer)


def _build_pipeline(report: Report) -> tuple[Pipeline, str]:
    settings = load_settings()
    if null_model(settings.models.clip) is not None:
        return _null_pipeline(settings)
    kind = device_type()
    parts, _ = parallel_batches(settings, kind)
    batch_clip, batch_blip = batch_sizes(settings, kind)
    device = Lazy(partial(_device, settings))
    clip = Embedder(settings.models.clip, device, settings.gpu.dtype, batch_clip, parts, report)
    blip = captioner_of(settings, device, batch_blip, parts, report) if settings.models.captions else None
    look_up = partial(_look_up, clip)
    reader = TextReader(report) if settings.models.ocr else None
    # Processes have no way to the device; its decoder waits for them in threads.
    on_device = LazyDecoder(settings, device, clip) if may_decode(settings, kind) else None
    processes = 0 if on_device is not None else loader_processes(settings, kind)
    pipeline = Pipeline(
        settings,
        clip,
        blip,
        look_up,
        _publish,
        kind,
        _count_computed,
        reader=reader,
        processes=processes,
        on_device=on_device,
    )
    return pipeline, device_name(device()) if kind != "cpu" else kind


def _device(settings: Settings) -> "torch.device":
    """The device, with torch and transformers set up for this process."""
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = pick_device()
    keep_to_share(device)
    torch.set_num_threads(parallel_batches(settings, device.type)[1])
    return device


def _null_pipeline(settings: Settings) -> tuple[Pipeline, str]:
    from workers.inference.null import NullClip

    if settings.models.captions:
        raise WrongUse(f'models.clip = "{settings.models.clip}" writes no captions: set models.captions = false.')
    clip = NullClip(settings.models.clip)
    look_up = partial(_look_up, clip)
    reader = TextReader() if settings.models.ocr else None
    processes = loader_processes(settings, "cpu")
    pipeline = Pipeline(
        settings, clip, None, look_up, _publish, count=_count_computed, reader=reader, processes=processes
    )
    return pipeline, ""


def _ask_for_collection(dim: int, clip_model: str) -> None:
    with suppress(*redis_errors()):  # the first batch asks again
        app.send_task(ENSURE, kwargs={"target": Target(COLLECTION_NAME, clip_model).to_wire(), "dim": dim})


def _look_up(clip: "Embedder | NullClip", shas: list[str]) -> list[KnownContent | None]:
    try:
        answer = ask(BY_CONTENT, LOOK_UP_SECONDS, sha256s=shas, clip_model=clip.name, preprocessing=clip.preprocessing)
    except redis_errors(DarkroomError) as error:
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
