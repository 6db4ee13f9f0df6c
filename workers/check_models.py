"""Whether the checkpoints are on this machine, and whether the device computes."""

import importlib.util
from pathlib import Path
from typing import Literal

from settings import Settings
from tasks.checkpoint import checkpoint_name, looks_like_a_folder, null_model

State = Literal["ok", "note", "bad"]
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
NO_GPU_WORKER = "so no GPU worker can run here: pip install 'darkroom[gpu]'."


def model(settings: Settings, which: Literal["clip", "blip"]) -> tuple[State, str]:
    """Whether a checkpoint lies in its folder or in the hub's cache; raises WrongUse for a folder that is not there."""
    name = getattr(settings.models, which)
    if null_model(name) is not None:
        return "ok", f"{name}: no model"
    folder = Path(name)
    if looks_like_a_folder(name) or folder.is_dir():
        called = checkpoint_name(name)
        there = [file for file in WEIGHTS if (folder / file).is_file()]
        if not there or not (folder / "config.json").is_file():
            return "bad", f"{folder} is no checkpoint: it needs config.json and {' or '.join(WEIGHTS[::2])}."
        return "ok", f"{called} in {folder}"
    if importlib.util.find_spec("huggingface_hub") is None:
        return "note", f"huggingface_hub is not installed, {NO_GPU_WORKER}"
    return _in_cache(name)


def _in_cache(name: str) -> tuple[State, str]:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    from workers.gpu.checkpoint_source import hub_answers

    try:
        if any(isinstance(try_to_load_from_cache(name, file), str) for file in WEIGHTS):
            return "ok", f"{name} in the hub's cache"
    except HFValidationError:
        return "bad", f"{name} is neither a folder nor the id of a checkpoint on the hub."
    if hub_answers():
        return "note", f"{name} is not on this machine; the first start of a worker fetches it from the hub."
    return "bad", f"{name} is not on this machine and the Hugging Face hub cannot be reached: name a local folder."


def device(settings: Settings, load: bool) -> tuple[State, str]:
    """Whether the device of the GPU workers multiplies two small matrices right, and with `load` runs the models."""
    if importlib.util.find_spec("torch") is None:
        return "note", f"torch is not installed, {NO_GPU_WORKER}"
    import torch

    from workers.gpu.hardware import pick_device
    from workers.local.devices import devices

    names = ", ".join(found.name for found in devices(settings.gpu.devices))
    chosen = torch.device("cpu") if settings.gpu.devices == "cpu" else pick_device()
    every = [torch.device("cuda", n) for n in range(torch.cuda.device_count())] if chosen.type == "cuda" else [chosen]
    for each in every:
        try:
            ones = torch.ones(8, 8, device=each)
            right = bool(((ones @ ones) == 8).all())
        except RuntimeError as error:
            return "bad", f"{each} does not compute ({str(error).splitlines()[0]})."
        if not right:
            return "bad", f"{each} computes wrong results."
    kind = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    said = f"{names} on {kind}, torch {torch.__version__}"
    return "ok", f"{said}; {_tried(settings, chosen)}" if load else said


def _tried(settings: Settings, chosen: object) -> str:
    """Load the models as a worker does and put one grey picture through them."""
    import numpy as np
    import torch
    from transformers.utils import logging as transformers_logging

    from workers.gpu.blip import Blip
    from workers.gpu.clip import Clip

    if null_model(settings.models.clip) is not None:
        return "there is no model to load"
    assert isinstance(chosen, torch.device)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    clip = Clip(settings.models.clip, chosen, settings.gpu.dtype, 1)
    grey = np.full((clip.target.height, clip.target.width, 3), 128, np.uint8)
    said = f"{clip.name} gives {clip.embed_pictures([grey]).shape[1]} numbers in {clip.dtype}"
    if settings.models.captions:
        blip = Blip(settings.models.blip, chosen, settings.gpu.dtype, 1, settings.models.max_caption_tokens)
        grey = np.full((blip.target.height, blip.target.width, 3), 128, np.uint8)
        said += f", {blip.name} writes captions ({blip.caption([grey])[0][:40]!r} for a grey picture)"
    return said
