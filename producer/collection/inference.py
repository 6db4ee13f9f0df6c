"""What the models say of texts and pictures, which need not be in the collection."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from producer.stack import Stack
from producer.waiting import wait_for
from tasks.queues import HTTP_CAPTION, HTTP_EMBED
from tasks.rpc import JsonQuestion

ANSWER_SECONDS = 300.0


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
    """Ask a GPU worker; raises WrongUse unless there is one of texts and images, 256 at most."""
    fields: dict[str, Any] = {}
    if texts is not None:
        fields["texts"] = list(texts)
    if images is not None:
        fields["images"] = _base64(images)
    answer = wait_for(JsonQuestion(HTTP_EMBED, **fields), stack, ANSWER_SECONDS, "gpu")
    vectors = [None if row is None else base64.b64decode(row) for row in answer["vectors"]]
    return Embeddings(answer["model"], answer["dim"], vectors, answer["errors"])


def caption(images: Sequence[bytes], stack: Stack) -> Captions:
    """Ask a GPU worker; raises WrongUse where it writes no captions."""
    return Captions(**wait_for(JsonQuestion(HTTP_CAPTION, images=_base64(images)), stack, ANSWER_SECONDS, "gpu"))


def _base64(images: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(image).decode() for image in images]
