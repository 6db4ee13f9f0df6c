"""Loads a part of a checkpoint: from a local folder or the hub's cache, from the Hugging Face hub if it is not there.

A checkpoint that is not whole, or whose processor does what Darkroom cannot do, is refused in one sentence.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pictures.preprocessing import ModelInput, UnsupportedProcessor
from settings.errors import DarkroomError, WrongUse
from tasks.checkpoint import looks_like_a_folder
from workers.checkpoints.errors import explain, hub_answers
from workers.checkpoints.families import check_family
from workers.checkpoints.hub import download
from workers.checkpoints.lazy import Report, silent

# Weights that no embedding and no caption depends on: tables of numbers, and the temperature of the training.
HARMLESS = ("position_ids", "logit_scale")
Part = TypeVar("Part")


class Source(NamedTuple):
    """A checkpoint of a kind, "clip" or "blip", and where its files may come from."""

    kind: str
    model: str
    options: dict[str, bool]

    @property
    def setting(self) -> str:
        """The key of the settings that names the checkpoint."""
        return f"models.{self.kind}"


def load_part(kind: str, model: str, read: Callable[[Source], Part], report: Report = silent) -> Part:
    """What `read` makes of a checkpoint; one that is not on this machine is downloaded first, which `report` hears of.

    Code of a checkpoint is never run. Raises WrongUse or ServiceMissing, with a sentence about the setting.
    """
    here = Source(kind, model, {"local_files_only": True, "trust_remote_code": False})
    try:
        # Without the hub a worker starts faster, and it starts while the hub cannot be reached.
        return read(here)
    except DarkroomError:
        raise
    except Exception as error:  # loaders raise whatever a broken file makes them; all become a sentence
        if Path(model).is_dir() or looks_like_a_folder(model) or not hub_answers():
            raise explain(here.setting, model, error) from error
    try:
        try:
            download(model, report)
            report(f"loading {model}", "")
            return read(here)
        except DarkroomError:
            raise
        except Exception:  # whatever was not fetched: the loader asks the hub again, and its error says what is wrong
            return read(here._replace(options={"trust_remote_code": False}))
    except Exception as error:  # as above
        raise explain(here.setting, model, error) from error


def read_config(source: Source) -> Any:
    """The config of a checkpoint; raises WrongUse if it is of no family that its setting takes."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source.model, **source.options)
    check_family(source.setting, source.model, source.kind, config.model_type)
    return config


def read_weights(source: Source, model_class: Any, config: Any, whole: Any) -> Any:
    """A model in float32 on the CPU with the weights that `model_class` has; `whole` is the checkpoint's own config.

    Weights of other parts of the checkpoint are not read. Raises WrongUse if some are missing.
    """
    loaded, found = model_class.from_pretrained(
        source.model,
        config=config,
        dtype="float32",
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **source.options,
    )
    check_weights(source, model_class, whole, found)
    return loaded.eval()


def read_image_processor(source: Source, side: int) -> tuple[Any, ModelInput]:
    """The image processor, and the pictures that it makes for a model that sees `side` pixels.

    Raises WrongUse if it does what Darkroom cannot do.
    """
    from transformers import AutoImageProcessor

    # The same processor on every machine; the other one, by torchvision, resizes a little differently.
    processor = AutoImageProcessor.from_pretrained(source.model, backend="pil", **source.options)
    try:
        return processor, ModelInput.from_processor(processor.to_dict(), side)
    except UnsupportedProcessor as error:
        raise WrongUse(
            f"{source.setting} = {source.model!r}: Darkroom cannot do what its processor does: {error}."
        ) from error


def read_processor(source: Source) -> Any:
    """The whole processor of a checkpoint: that of pictures and texts together, as the library has it."""
    from transformers import AutoProcessor

    # The same processor on every machine; the other one, by torchvision, resizes a little differently.
    return AutoProcessor.from_pretrained(source.model, backend="pil", **source.options)


def read_tokenizer(source: Source) -> Any:
    """The tokenizer of a checkpoint."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(source.model, **source.options)


def check_weights(source: Source, model_class: Any, whole: Any, found: Mapping[str, Any]) -> None:
    """Raise WrongUse if a model has weights that its file does not have: they are random, other ones at each start.

    `found` is what the loader tells with `output_loading_info`.
    """
    missing = sorted(name for name in found["missing_keys"] if not name.endswith(HARMLESS))
    mismatched = sorted(name for name, *_ in found["mismatched_keys"])
    if missing or mismatched:
        what = "lacks" if missing else "has in another shape"
        names = missing or mismatched
        made_for = ", ".join(whole.architectures or ["nothing that it names"])
        raise WrongUse(
            f"{source.setting} = {source.model!r} {what} {len(names)} of the weights of a {model_class.__name__}, "
            f"such as {names[0]} (it was made for {made_for}): name a whole checkpoint."
        )
