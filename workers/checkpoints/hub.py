"""Fetches a checkpoint from the Hugging Face hub into its cache, and says how far it is."""

import json
from pathlib import Path
from typing import Any

from settings.errors import WrongUse
from workers.checkpoints.errors import explain_download, hub_answers, hub_is_away
from workers.checkpoints.families import CAPTIONERS, EMBEDDERS, captions, embeds
from workers.checkpoints.lazy import Report

# The best first: these can be read in parts, and cannot hold code.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# Configs, processors and tokenizers.
SMALL_FILES = ["*.json", "*.txt", "*.model", "*.jinja"]
MEGABYTE = 1_000_000


def download(model: str, report: Report | None = None) -> str:
    """Fetch the files of a checkpoint that Darkroom reads, and nothing else; returns their folder.

    Without `report` the hub's own progress bars are drawn. Raises what the hub's client raises.
    """
    from huggingface_hub import HfApi, snapshot_download

    names = [sibling.rfilename for sibling in HfApi().model_info(model).siblings or []]
    weights = next((name for name in WEIGHTS if name in names), WEIGHTS[0])
    if weights.endswith(".index.json"):
        weights = weights.replace(".", "*.", 1).removesuffix(".index.json")
    bar = None if report is None else _bar_that_tells(f"downloading {model}", report)
    return snapshot_download(model, allow_patterns=[*SMALL_FILES, weights], tqdm_class=bar)


def pull_checkpoint(model: str) -> None:
    """Fetch a checkpoint that a person names, with progress bars; goes on where an earlier download has stopped.

    Raises WrongUse for one that Darkroom cannot load, before its weights are fetched, and ServiceMissing where the hub
    cannot be reached.
    """
    from huggingface_hub import hf_hub_download

    if not hub_answers():
        raise hub_is_away(model)
    try:
        kind = str(json.loads(Path(hf_hub_download(model, "config.json")).read_text()).get("model_type"))
        if not (embeds(kind) or captions(kind)):
            raise WrongUse(f"{model} is a {kind!r} checkpoint: Darkroom loads {EMBEDDERS}, and {CAPTIONERS}.")
        download(model)
    except Exception as error:  # the hub and its libraries raise many kinds; all become a sentence
        raise explain_download(model, error) from error
    if not is_here(model):
        raise WrongUse(f"{model} has no weights that Darkroom reads: name a whole checkpoint.")


def is_here(model: str) -> bool:
    """Whether the weights of a checkpoint of the hub are in its cache; False for what is no id."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return any(isinstance(try_to_load_from_cache(model, file), str) for file in WEIGHTS)
    except HFValidationError:
        return False


def _bar_that_tells(what: str, report: Report) -> Any:
    """A class in the place of the client's progress bars; the client makes one for all bytes, and others."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            self._counts_bytes = options.get("unit") == "B"
            self._done = 0
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            """Count: a bar that is not drawn does not."""
            self._done += int(n or 0)
            if self._counts_bytes and self.total and self._done <= self.total:
                report(what, f"{self._done // MEGABYTE} of {self.total // MEGABYTE} MB")

    return Bar
