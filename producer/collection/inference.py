"""What the models say of texts and pictures, which need not be in the collection."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import CAPTION_PICTURES, EMBED_PICTURES, EMBED_TEXTS
from tasks.rpc import Question

ANSWER_SECONDS = 300.0
# The question and the answer are held in memory by Redis.
MOST_ITEMS = 256


@dataclass(frozen=True)
class Embeddings:
    """Vectors of length one, each `dim` float32 numbers as little-endian bytes.

    None stands for a picture that cannot be used; `errors` has its {"index", "reason"}.
    """

    model: str
    dim: int
    vectors: list[bytes | None]
    errors: list[dict[str, Any]]


@dataclass(frozen=True)
class Captions:
    """A caption each, None for a picture that cannot be used; `errors` has its {"index", "reason"}."""

    model: str
    captions: list[str | None]
    errors: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def embed(texts: Sequence[str] | None, images: Sequence[bytes] | None, stack: Stack) -> Embeddings:
    """Ask a GPU worker; raises WrongUse unless there is one of texts and images, MOST_ITEMS at most."""
    if (texts is None) == (images is None):
        raise WrongUse("Say exactly one of texts, images.")
    if texts is not None:
        _require_some(texts, "texts")
        answer = wait_for(Question(EMBED_TEXTS, texts=list(texts)), stack, ANSWER_SECONDS, "gpu")
        size = 4 * answer["dim"]
        rows = [answer["vectors"][start : start + size] for start in range(0, len(answer["vectors"]), size)]
        return Embeddings(answer["clip_model"], answer["dim"], rows, [])
    images = _require_some(images or (), "images")
    answer = wait_for(Question(EMBED_PICTURES, images=list(images)), stack, ANSWER_SECONDS, "gpu")
    return Embeddings(answer["clip_model"], answer["dim"], answer["vectors"], answer["errors"])


def caption(images: Sequence[bytes], stack: Stack) -> Captions:
    """Ask a GPU worker; raises WrongUse where it writes no captions, or unless there are MOST_ITEMS images at most."""
    question = Question(CAPTION_PICTURES, images=list(_require_some(images, "images")))
    answer = wait_for(question, stack, ANSWER_SECONDS, "gpu")
    return Captions(answer["blip_model"], answer["captions"], answer["errors"])


def _require_some(items: Sequence[Any], name: str) -> Sequence[Any]:
    if not 1 <= len(items) <= MOST_ITEMS:
        raise WrongUse(f"{name}: a call takes from 1 to {MOST_ITEMS}, not {len(items)}.")
    return items
