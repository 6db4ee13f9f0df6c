"""Loads checkpoints: from a local folder or the hub's cache first, from the Hugging Face hub only if it answers.

What the loaders raise becomes a sentence that says what to do. A checkpoint that is not whole, or whose processor does
what Darkroom cannot do, is refused.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pictures.preprocessing import ModelInput, UnsupportedProcessor
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.checkpoint import looks_like_a_folder

HUB_SECONDS = 5.0
# Weights that no embedding and no caption depends on: tables of numbers, and the temperature of the training.
HARMLESS = ("position_ids", "logit_scale")


class Checkpoint(NamedTuple):
    """A model in float32 on the CPU, its processor, and the pictures that the processor makes."""

    model: Any
    processor: Any
    model_input: ModelInput


def load_checkpoint(kind: str, model: str, model_class: Any, processor_class: Any) -> Checkpoint:
    """Load a checkpoint of a kind, "clip" or "blip", by the library's classes; code of a checkpoint is never run.

    Raises WrongUse or ServiceMissing, with a sentence about the setting, if it cannot be loaded or is not whole.
    """
    from transformers import AutoConfig

    setting = f"models.{kind}"

    def load(**source: bool) -> Checkpoint:
        source["trust_remote_code"] = False
        check_architecture(setting, model, AutoConfig.from_pretrained(model, **source).model_type, kind)
        loaded, found = model_class.from_pretrained(
            model, dtype="float32", output_loading_info=True, ignore_mismatched_sizes=True, **source
        )
        check_weights(setting, model, loaded, found)
        # The same processor on every machine; the other one, by torchvision, resizes a little differently.
        processor = processor_class.from_pretrained(model, backend="pil", **source)
        side = int(loaded.config.vision_config.image_size)
        try:
            model_input = ModelInput.from_processor(processor.image_processor.to_dict(), side)
        except UnsupportedProcessor as error:
            raise WrongUse(f"{setting} = {model!r}: Darkroom cannot do what its processor does: {error}.") from error
        return Checkpoint(loaded.eval(), processor, model_input)

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
    if "trust_remote_code" in str(error):
        return WrongUse(
            f"{setting} = {model!r} needs code of its own, which Darkroom never runs: name another checkpoint."
        )
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


def check_weights(setting: str, model: str, loaded: Any, found: Mapping[str, Any]) -> None:
    """Raise WrongUse if a model has weights that its file does not have: they are random, other ones at each start.

    `found` is what the loader tells with `output_loading_info`.
    """
    missing = sorted(name for name in found["missing_keys"] if not name.endswith(HARMLESS))
    mismatched = sorted(name for name, *_ in found["mismatched_keys"])
    if missing or mismatched:
        what = "lacks" if missing else "has in another shape"
        names = missing or mismatched
        made_for = ", ".join(loaded.config.architectures or ["nothing that it names"])
        raise WrongUse(
            f"{setting} = {model!r} {what} {len(names)} of the weights of a {type(loaded).__name__}, such as {names[0]}"
            f" (it was made for {made_for}): name a whole checkpoint."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
