"""Where a checkpoint comes from, and why it could not be loaded, as a sentence that says what to do.

A local folder or the hub's cache comes first, the hub itself only when it answers.
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


SHIPPED = (
    "the small checkpoints models/shapes-clip and models/shapes-blip ship with Darkroom, but know coloured shapes only"
)

# The names of what the hub's client and its HTTP library raise when nobody answers.
_AWAY = {
    "LocalEntryNotFoundError",
    "OfflineModeIsEnabled",
    "ConnectError",
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "TransportError",
}


def explain(setting: str, model: str, error: BaseException) -> DarkroomError:
    """The error for the person who set `setting` to `model`; `error` is what the Hugging Face loader raised."""
    if isinstance(error, DarkroomError):
        return error
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    names = {kind.__name__ for seen in chain for kind in type(seen).__mro__}
    if Path(model).is_dir():
        return WrongUse(f"The checkpoint in {model} ({setting}) cannot be loaded: {_first_line(error)}")
    if looks_like_a_folder(model):
        return WrongUse(f"{setting} = {model!r}: there is no such folder.")
    if names & {"RepositoryNotFoundError", "HFValidationError", "GatedRepoError"}:
        return WrongUse(f"The Hugging Face hub has no model {model!r} for you ({setting}): check its name or log in.")
    if names & _AWAY:
        return ServiceMissing(
            f"The model {model!r} ({setting}) is not on this machine and the Hugging Face hub cannot be reached: "
            f"connect once so that it is cached, or set {setting} to a local folder ({SHIPPED})."
        )
    if names & {"ValueError", "RemoteEntryNotFoundError"}:
        return WrongUse(
            f"The model {model!r} ({setting}) is on the Hugging Face hub but unusable: {_first_line(error)}"
        )
    return ServiceMissing(f"The model {model!r} ({setting}) could not be loaded: {_first_line(error)}")


def check_kind(setting: str, model: str, found: str, wanted: str) -> None:
    """Raise WrongUse when a checkpoint is of another architecture than the one it was named for."""
    if found != wanted:
        raise WrongUse(f"{setting} = {model!r} is a {found!r} checkpoint; a {wanted!r} one is needed there.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
