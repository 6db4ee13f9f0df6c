"""The checks of `python -m workers check`: whether this machine has what its workers need, a sentence for each."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import redis

from pictures.paths import paths_of
from pictures.remote import filesystem
from pictures.uris import place
from settings import Settings
from settings.errors import DarkroomError
from settings.extras import install_hint
from tasks.broker import redis_client
from tasks.checkpoint import checkpoint_name, looks_like_a_folder, null_model
from tasks.queues import left_by_other_releases, told_of_other_releases
from tasks.stack.paths import stack_paths
from workers.broker_check import memory, strangers
from workers.checkpoints.hub import WEIGHTS
from workers.inference import text_reader

State = Literal["ok", "note", "bad"]
MOST_NAMES = 5
NO_GPU_WORKER = f"so no GPU worker can run here: run {install_hint('gpu')}."


@dataclass(frozen=True)
class Finding:
    """The result of one check: `ok`, a `note`, or `bad`, which means that workers cannot work."""

    check: str
    state: State
    says: str

    def as_json(self) -> dict[str, str]:
        """The same as a JSON object."""
        return asdict(self)


def findings(settings: Settings, load: bool) -> Iterator[Finding]:
    """Run all checks in turn; with `load` the models are loaded and process one picture."""
    broker = _finding("broker", lambda: _broker(settings))
    yield broker
    if broker.state != "bad" and (settings.broker.url != "embedded" or stack_paths(settings).socket.exists()):
        yield from _other_releases(settings)
    yield _finding("qdrant", lambda: _qdrant(settings))
    yield _finding("clip", lambda: model(settings, "clip"))
    if settings.models.captions:
        yield _finding("blip", lambda: model(settings, "blip"))
    if settings.models.ocr:
        yield _finding("ocr", text_reader.finding)
    yield _finding("device", lambda: device(settings, load))
    yield _finding("data", lambda: _data(settings))
    for remote, folder in settings.paths.map.items():
        yield _finding("map", partial(_folder, os.fsencode(folder), f"{remote} is {folder}"))
    for root in settings.paths.allowed:
        yield _finding("root", partial(_root, settings, root))


def _finding(check: str, run: Callable[[], tuple[State, str]]) -> Finding:
    try:
        return Finding(check, *run())
    except DarkroomError as error:
        return Finding(check, "bad", str(error))


def _broker(settings: Settings) -> tuple[State, str]:
    if settings.broker.url == "embedded":
        from workers.supervisor.redis_server import redis_server

        return "ok", f"embedded: {redis_server()}"
    address = settings.broker.safe_url
    from workers.supervisor.broker_view import BrokerView

    BrokerView(settings, "check").require()
    client = redis_client(settings)
    try:
        facts: dict[str, Any] = client.info("everything")
        others = strangers(client)
    except redis.RedisError as error:
        return "note", f"{address} answers, but tells nothing of itself ({error})."
    finally:
        client.close()
    policy, is_durable = facts.get("maxmemory_policy", "unknown"), bool(facts.get("aof_enabled"))
    nearly_full, used = memory(facts)
    version = f"{address}: Redis {facts.get('redis_version', 'of unknown version')}, {used}"
    if policy not in ("noeviction", "unknown"):
        return "bad", f"{version} drops data when it is full ({policy}): set its maxmemory-policy to noeviction."
    notes = []
    if not is_durable:
        notes.append("without its append-only file a restart loses what is in the queues")
    if nearly_full:
        notes.append("when it is full, no more files are enqueued until there is room: raise its maxmemory")
    if others:
        names = ", ".join(sorted(others)[:MOST_NAMES])
        notes.append(f"another Celery application uses this database ({names}): its messages are left alone")
    if notes:
        return "note", f"{version}, {policy}; {'; '.join(notes)}."
    return "ok", f"{version}, {policy}, append-only file on"


def _other_releases(settings: Settings) -> Iterator[Finding]:
    """A note for each queue in which messages of another release wait."""
    client = redis_client(settings)
    try:
        for sentence in told_of_other_releases(left_by_other_releases(client)):
            yield Finding("queues", "note", sentence)
    except redis.RedisError:
        return  # it has gone away since
    finally:
        client.close()


def _qdrant(settings: Settings) -> tuple[State, str]:
    embedded = settings.qdrant.url == "embedded"
    package = "qdrant_edge" if embedded else "qdrant_client"
    if importlib.util.find_spec(package) is None:
        return (
            "note",
            f"{package} is not installed, so no storage worker runs here: run {install_hint('storage')}.",
        )
    if embedded:
        return "ok", f"embedded: {stack_paths(settings).catalog / settings.qdrant.collection}"
    from workers.storage.server.connection import server_version

    return "ok", f"{settings.qdrant.safe_url}: Qdrant {server_version(settings)}"


def _data(settings: Settings) -> tuple[State, str]:
    local = stack_paths(settings)
    local.create()
    return "ok", f"{local.data} can be written"


def _folder(folder: bytes, label: str) -> tuple[State, str]:
    try:
        with os.scandir(folder) as listing:
            if next(listing, None) is None:
                return "bad", f"{label}: an empty folder; is it mounted?"
    except OSError as error:
        return "bad", f"{label}: cannot be read ({error.strerror}); is it mounted?"
    return "ok", label


def _root(settings: Settings, root: str) -> tuple[State, str]:
    if root.startswith("/"):
        return _folder(paths_of(settings).here(os.fsencode(root)), root)
    filesystem(place(root).scheme, settings.ingest.load_seconds)
    return "ok", f"{root}: its package is installed"


def model(settings: Settings, which: Literal["clip", "blip"]) -> tuple[State, str]:
    """Whether a checkpoint is in its folder or in the hub's cache; raises WrongUse for a folder that does not exist."""
    name = getattr(settings.models, which)
    if null_model(name) is not None:
        return "ok", f"{name}: no model"
    folder = Path(name)
    if looks_like_a_folder(name) or folder.is_dir():
        checkpoint = checkpoint_name(name)
        has_weights = any((folder / file).is_file() for file in WEIGHTS)
        if not has_weights or not (folder / "config.json").is_file():
            return "bad", f"{folder} is no checkpoint: it needs config.json and {' or '.join(WEIGHTS[::2])}."
        return "ok", f"{checkpoint} in {folder}"
    if importlib.util.find_spec("huggingface_hub") is None:
        return "note", f"huggingface_hub is not installed, {NO_GPU_WORKER}"
    return _in_cache(name)


def _in_cache(name: str) -> tuple[State, str]:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    from workers.checkpoints.errors import hub_answers
    from workers.checkpoints.hub import is_here

    try:
        try_to_load_from_cache(name, WEIGHTS[0])
    except HFValidationError:
        return "bad", f"{name} is neither a folder nor the id of a checkpoint on the hub."
    if is_here(name):
        return "ok", f"{name} in the hub's cache"
    if hub_answers():
        return "note", f"{name} is not on this machine; the first start of a worker fetches it from the hub."
    return "bad", f"{name} is not on this machine and the Hugging Face hub cannot be reached: name a local folder."


def device(settings: Settings, load: bool) -> tuple[State, str]:
    """Whether the devices of the GPU workers multiply two small matrices right; with `load` it also runs the models."""
    if importlib.util.find_spec("torch") is None:
        return "note", f"torch is not installed, {NO_GPU_WORKER}"
    import torch

    from workers.inference.accelerators import device_name
    from workers.inference.hardware import cores, pick_device
    from workers.inference.torch_answer import has_driver
    from workers.supervisor.devices import devices, processes_of

    found = devices(settings.gpu.devices, processes_of(settings.gpu.processes))
    names = ", ".join(worker.name for worker in found)
    chosen = pick_device(found[0].kind, found[0].visible)
    on_cpu = chosen.type == "cpu"
    for tested in [torch.device(chosen.type, n) for n in range(1 if on_cpu else torch.accelerator.device_count())]:
        try:
            ones = torch.ones(8, 8, device=tested)
            is_right = bool(((ones @ ones) == 8).all())
        except RuntimeError as error:
            return "bad", f"{tested} does not compute ({str(error).splitlines()[0]})."
        if not is_right:
            return "bad", f"{tested} computes wrong results."
    kind = f"CPU, {cores()} cores" if on_cpu else device_name(chosen)
    summary = f"{names} on {kind}, torch {torch.__version__}"
    notes = []
    if on_cpu and settings.gpu.devices != "cpu" and has_driver():
        notes.append("there is a driver for GPUs, but no GPU that this torch can use")
    if load:
        results, told = _try_models(settings, chosen)
        summary, notes = f"{summary}; {results}", [*notes, *told]
    return ("note" if notes else "ok"), "; ".join([summary, *notes])


def _try_models(settings: Settings, chosen: object) -> tuple[str, list[str]]:
    """Load the models as a worker does and process one grey picture; the results as a sentence, and their notes."""
    import torch
    from transformers.utils import logging as transformers_logging

    from pictures.preprocessing import blank
    from workers.inference.captioners.captioner import captioner_of
    from workers.inference.embedders.embedder import Embedder

    if null_model(settings.models.clip) is not None:
        return "there is no model to load", []
    assert isinstance(chosen, torch.device)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    clip = Embedder(settings.models.clip, chosen, settings.gpu.dtype, 1)
    grey = blank(clip.model_input, 128)
    clip.load_texts()
    results = f"{clip.name} gives {clip.embed_pictures([grey]).shape[1]} numbers in {clip.precision}"
    notes = [f"{clip.name}: {note}" for note in clip.notes]
    if settings.models.captions:
        blip = captioner_of(settings, chosen, 1)
        grey = blank(blip.model_input, 128)
        results += f", {blip.name} writes captions ({blip.caption([grey])[0][:40]!r} for a grey picture)"
        notes += [f"{blip.name}: {note}" for note in blip.notes]
    return results, notes
