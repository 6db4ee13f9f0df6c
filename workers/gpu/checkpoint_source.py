"""Where a checkpoint comes from: a local folder or the hub's cache first, the hub itself only when it answers."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.checkpoint import looks_like_a_folder
from tasks.errors import DarkroomError
from workers.gpu.checkpoint_errors import check_kind, explain

HUB_SECONDS = 5.0


def load_checkpoint(
    setting: str, model: str, kind: str, load_model: Callable[..., Any], load_processor: Callable[..., Any]
) -> tuple[Any, Any]:
    """Model and processor of a checkpoint of architecture `kind`, by their `from_pretrained`.

    Raises WrongUse or ServiceMissing with a sentence about `setting` when they cannot be had.
    """
    from transformers import AutoConfig

    def load(**source: bool) -> tuple[Any, Any]:
        check_kind(setting, model, AutoConfig.from_pretrained(model, **source).model_type, kind)
        return load_model(model, **source), load_processor(model, **source)

    try:
        # What is on this machine is used as it is: a worker starts faster so, and starts when the hub is away.
        return load(local_files_only=True)
    except DarkroomError:
        raise
    except Exception as error:
        if Path(model).is_dir() or looks_like_a_folder(model) or not hub_answers():
            raise explain(setting, model, error) from error
    try:
        return load()
    except Exception as error:
        raise explain(setting, model, error) from error


def hub_answers() -> bool:
    """Whether the hub can be connected to; its own loader would try for most of a minute before it says no."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    hub = urlsplit(constants.ENDPOINT)
    try:
        with socket.create_connection((hub.hostname, hub.port or (80 if hub.scheme == "http" else 443)), HUB_SECONDS):
            return True
    except OSError:
        return False
