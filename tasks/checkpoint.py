"""The key of reuse: the names of checkpoints in collections and messages, and the version of the preprocessing."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from settings import Settings
from settings.errors import WrongUse
from tasks.messages import Target

# Raise it when a change gives the models other pixels for the same file: stored embeddings are then not reused.
PREPROCESSING = "4"
# Behind the version, of embeddings that differ from those of float32 by more than rounding.
IN_INT8 = f"{PREPROCESSING}+int8"
# Raise it when a change reads other facts of the same file: the next ingest reads them anew, without a model.
PAYLOAD_SCHEMA = 2
# What reads text in pictures (workers/inference/text_reader.py): the models in the wheel of the pinned RapidOCR.
OCR_MODEL = "PP-OCRv6-small"
_SAMPLE_BYTES = 1 << 20
_NULL = re.compile(r"null(?::(\d+(?:\.\d+)?)(?::([1-9]\d{0,3}))?)?")
_NULL_DIM = 48


def looks_like_a_folder(model: str) -> bool:
    """True for a name that cannot be a hub id: these have at most one slash, and no leading dot, tilde or slash."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1 or "\\" in model


@dataclass(frozen=True)
class NullModel:
    """The parameters of the null model: milliseconds that it sleeps a picture, and numbers in an embedding."""

    milliseconds: float = 0.0
    dim: int = _NULL_DIM


def null_model(model: str) -> NullModel | None:
    """ "null", "null:MILLISECONDS" or "null:MILLISECONDS:DIM"; None for any other model."""
    match = _NULL.fullmatch(model)
    return None if match is None else NullModel(float(match[1] or 0), int(match[2] or _NULL_DIM))


def checkpoint_name(model: str) -> str:
    """The name of a checkpoint in payloads and collections; raises WrongUse for a folder that does not exist.

    The name of a hub model is its id; the null model is always "null". A local folder is named by its last part and a
    fingerprint of its config and of both ends of its weights. So the same checkpoint has the same name in any place,
    and one that is trained again in the same folder has a new name, and its vectors are never mixed with the old ones.
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
                for offset in (0, max(0, size - _SAMPLE_BYTES)):
                    weights.seek(offset)
                    digest.update(weights.read(_SAMPLE_BYTES))
    return f"{folder.resolve().name}@{digest.hexdigest()[:8]}"


def preprocessing_in(precision: str) -> str:
    """The version of the preprocessing as the key of reuse has it, for embeddings computed in a precision."""
    return IN_INT8 if precision.startswith("int8") else PREPROCESSING


def reusable(preprocessing: str) -> list[str]:
    """The versions whose embeddings take the place of those of this version: of int8 the more exact ones, too."""
    version, plus, _ = preprocessing.partition("+")
    return [preprocessing, version] if plus else [version]


def caption_model_name(model: str, prompt: str, url: str = "") -> str:
    """The name of what writes captions: its checkpoint, and a fingerprint of what it is asked, where it is asked that.

    So captions that answer another question count as those of another model. A model behind a URL is named as it is.
    """
    return asked(model if url else checkpoint_name(model), prompt)


def asked(name: str, prompt: str) -> str:
    """The name of a captioner that is asked this; an empty prompt is what its family is usually asked."""
    return f"{name}#{hashlib.sha256(prompt.encode()).hexdigest()[:8]}" if prompt else name


def target_of(settings: Settings) -> Target:
    """The collection and the checkpoints that these settings name; raises WrongUse for a folder that does not exist."""
    models = settings.models
    blip = caption_model_name(models.blip, models.caption_prompt, models.caption_url) if models.captions else ""
    ocr = OCR_MODEL if models.ocr else ""
    return Target(settings.qdrant.collection, checkpoint_name(models.clip), blip, ocr)
