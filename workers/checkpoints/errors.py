"""Whether the Hugging Face hub answers, and what its client and the loaders raise, as a sentence of what to do."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.checkpoint import looks_like_a_folder

HUB_SECONDS = 5.0


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

_NO_SUCH_MODEL = {"RepositoryNotFoundError", "HFValidationError", "GatedRepoError"}


def explain(setting: str, model: str, error: BaseException) -> DarkroomError:
    """The error for the user who set `setting` to `model`; `error` is what the Hugging Face loader raised."""
    if isinstance(error, DarkroomError):
        return error
    names = _classes(error)
    if "trust_remote_code" in str(error):
        return WrongUse(
            f"{setting} = {model!r} needs code of its own, which Darkroom never runs: name another checkpoint."
        )
    if Path(model).is_dir():
        return WrongUse(f"The checkpoint in {model} ({setting}) cannot be loaded: {_first_line(error)}")
    if looks_like_a_folder(model):
        return WrongUse(f"{setting} = {model!r}: there is no such folder.")
    if names & _NO_SUCH_MODEL:
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


def check_folder(kind: str, model: str) -> None:
    """Raise WrongUse for the name of a folder that does not exist: that can be told before anything is loaded."""
    if looks_like_a_folder(model) and not Path(model).is_dir():
        raise explain(f"models.{kind}", model, FileNotFoundError(model))


def explain_download(model: str, error: BaseException) -> DarkroomError:
    """The error for the user who wants `model` on this machine; `error` is what the hub's client raised."""
    if isinstance(error, DarkroomError):
        return error
    names = _classes(error)
    if names & _NO_SUCH_MODEL:
        return WrongUse(f"The Hugging Face hub has no model {model!r} for you: check its name or log in.")
    if names & _CONNECTION_ERRORS:
        return hub_is_away(model)
    return ServiceMissing(f"{model} could not be downloaded: {_first_line(error)}")


def hub_is_away(model: str) -> ServiceMissing:
    """The error for the user who wants `model` while the hub does not answer."""
    return ServiceMissing(
        f"The Hugging Face hub cannot be reached, so {model} was not downloaded: connect, then give the command again; "
        "it goes on where it stopped."
    )


def _classes(error: BaseException) -> set[str]:
    """The names of the classes of an error and of all that have caused it."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return {class_.__name__ for cause in chain for class_ in type(cause).__mro__}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
