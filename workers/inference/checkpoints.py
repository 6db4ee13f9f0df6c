"""Loads checkpoints: from a local folder or the hub's cache first, from the Hugging Face hub only if it answers.

What the loaders raise becomes a sentence that says what to do.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.checkpoint import looks_like_a_folder

HUB_SECONDS = 5.0


def load_checkpoint(
    setting: str, model: str, architecture: str, load_model: Callable[..., Any], load_processor: Callable[..., Any]
) -> tuple[Any, Any]:
    """The model and the processor of a checkpoint, by their `from_pretrained`.

    Raises WrongUse or ServiceMissing, with a sentence about `setting`, if they cannot be loaded.
    """
    from transformers import AutoConfig

    def load(**source: bool) -> tuple[Any, Any]:
        check_architecture(setting, model, AutoConfig.from_pretrained(model, **source).model_type, architecture)
        return load_model(model, **source), load_processor(model, **source)

    try:
        # Without the hub a worker starts faster, and it starts while the hub cannot be reached.
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
    """Whether the hub accepts connections; the hub's own client would need most of a minute to find out."""
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


SHIPPED = (
    "the small checkpoints models/shapes-clip and models/shapes-blip ship with Darkroom, but know coloured shapes only"
)

# The names of the errors that the hub's client and its HTTP library raise when the hub does not answer.
_CONNECTION_ERRORS = {
    "LocalEntryNotFoundError",
    "OfflineModeIsEnabled",
    "ConnectError",
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "TransportError",
}


def explain(setting: str, model: str, error: BaseException) -> DarkroomError:
    """The error for the user who set `setting` to `model`; `error` is what the Hugging Face loader raised."""
    if isinstance(error, DarkroomError):
        return error
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    names = {class_.__name__ for cause in chain for class_ in type(cause).__mro__}
    if Path(model).is_dir():
        return WrongUse(f"The checkpoint in {model} ({setting}) cannot be loaded: {_first_line(error)}")
    if looks_like_a_folder(model):
        return WrongUse(f"{setting} = {model!r}: there is no such folder.")
    if names & {"RepositoryNotFoundError", "HFValidationError", "GatedRepoError"}:
        return WrongUse(f"The Hugging Face hub has no model {model!r} for you ({setting}): check its name or log in.")
    if names & _CONNECTION_ERRORS:
        return ServiceMissing(
            f"The model {model!r} ({setting}) is not on this machine and the Hugging Face hub cannot be reached: "
            f"connect once so that it is cached, or set {setting} to a local folder ({SHIPPED})."
        )
    if names & {"ValueError", "RemoteEntryNotFoundError"}:
        return WrongUse(
            f"The model {model!r} ({setting}) is on the Hugging Face hub but unusable: {_first_line(error)}"
        )
    return ServiceMissing(f"The model {model!r} ({setting}) could not be loaded: {_first_line(error)}")


def check_architecture(setting: str, model: str, actual: str, expected: str) -> None:
    """Raise WrongUse if a checkpoint has another architecture than `setting` needs."""
    if actual != expected:
        raise WrongUse(f"{setting} = {model!r} is a {actual!r} checkpoint; a {expected!r} one is needed there.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
