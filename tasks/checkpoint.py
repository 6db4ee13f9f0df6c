"""The key of reuse: under which name a collection remembers a checkpoint, and which preprocessing fed it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from settings.errors import WrongUse

# Raise it whenever the same file would give a model other pixels; stored embeddings are then not reused.
PREPROCESSING = "2"
_ENDS = 1 << 20
_NULL = re.compile(r"null(?::(\d+(?:\.\d+)?)(?::([1-9]\d{0,3}))?)?")
_NULL_DIM = 48


def looks_like_a_folder(model: str) -> bool:
    """True for a name that cannot be a hub id (at most one slash, no leading dot, tilde or slash)."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1 or "\\" in model


@dataclass(frozen=True)
class NullModel:
    """The null model as `models.clip` names it: milliseconds that it sleeps a picture, numbers of its embeddings."""

    milliseconds: float = 0.0
    dim: int = _NULL_DIM


def null_model(model: str) -> NullModel | None:
    """ "null", "null:MILLISECONDS" or "null:MILLISECONDS:DIM"; None for any other model."""
    match = _NULL.fullmatch(model)
    return None if match is None else NullModel(float(match[1] or 0), int(match[2] or _NULL_DIM))


def checkpoint_name(model: str) -> str:
    """The name of a checkpoint in payloads and collections; raises WrongUse for a folder that is not there.

    A hub id is its own name, and the null model is "null" however long it sleeps. A local folder is called by its last
    part and a fingerprint of its config and of both ends of its weights: the same checkpoint has the same name wherever
    it lies, and one that was trained anew under an old folder's name never meets the old one's vectors.
    """
    if null_model(model) is not None:
        return "null"
    folder = Path(model)
    if not folder.is_dir():
        if looks_like_a_folder(model):
            raise WrongUse(f"There is no checkpoint folder {model}: correct models.clip or models.blip.")
        return model
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.name in ("config.json", "preprocessor_config.json", "processor_config.json"):
            digest.update(path.read_bytes())
        elif path.suffix in (".safetensors", ".bin"):
            with path.open("rb") as weights:
                size = weights.seek(0, 2)
                digest.update(str(size).encode())
                for offset in (0, max(0, size - _ENDS)):
                    weights.seek(offset)
                    digest.update(weights.read(_ENDS))
    return f"{folder.resolve().name}@{digest.hexdigest()[:8]}"
