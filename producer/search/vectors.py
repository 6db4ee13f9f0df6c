"""The vectors of a question: of its words and pictures, and of all of them together."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from producer.collection.point import stored_point
from producer.formatting import shown
from producer.search.pictures import PictureFile
from producer.search.terms import Term
from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.checkpoint import IN_INT8
from tasks.messages import Target
from tasks.queues import BY_CONTENT, COLLECTION_NAME, EMBED_PICTURES, EMBED_TEXTS
from tasks.rpc import Question

EMBED_SECONDS = 300.0
LOOK_UP_SECONDS = 60.0
# It travels to a worker in one message, which Redis holds in memory.
MOST_BYTES = 100 * 2**20
_LEAST_LENGTH = 1e-3


@dataclass(frozen=True)
class Texts:
    """Embeddings of texts: a vector of length one each as float32 bytes, and whether the model took it whole."""

    vectors: list[bytes]
    are_cut: list[bool]


def embed_texts(texts: Sequence[str], clip_model: str, stack: Stack) -> Texts:
    """Ask a GPU worker for the embeddings of texts by the model of the collection."""
    if not texts:
        return Texts([], [])
    question = Question(EMBED_TEXTS, for_model(clip_model), texts=list(texts))
    reply = wait_for(question, stack, EMBED_SECONDS, "gpu")
    size = 4 * reply["dim"]
    rows = [reply["vectors"][start : start + size] for start in range(0, len(reply["vectors"]), size)]
    return Texts(rows, [bool(each) for each in reply["cut"]])


def picture_vector(picture: PictureFile, collection: dict[str, Any], stack: Stack) -> bytes:
    """The embedding of a picture: the one in the collection where it has these bytes, else a GPU worker makes it.

    `collection` is what `collection_facts` says. Raises WrongUse for a picture that is too large or cannot be decoded.
    """
    model = collection["clip_model"]
    look_up = Question(BY_CONTENT, for_model(model), sha256s=[picture.sha256], clip_model=model, preprocessing=IN_INT8)
    known = wait_for(look_up, stack, LOOK_UP_SECONDS, "storage")
    if picture.sha256 in known:
        found: bytes = known[picture.sha256][0]
        return found
    if (size := picture.path.stat().st_size) > MOST_BYTES:
        raise WrongUse(f"{picture.path} has {size:,} bytes, more than {MOST_BYTES:,}: name a smaller copy of it.")
    question = Question(EMBED_PICTURES, for_model(model), images=[picture.path.read_bytes()])
    made = wait_for(question, stack, EMBED_SECONDS, "gpu")
    if made["errors"]:
        raise WrongUse(f"{shown(picture.uri)} cannot be searched by: {made['errors'][0]['reason']}.")
    vector: bytes = made["vectors"][0]
    return vector


def term_vectors(
    terms: Sequence[Term], of_words: Sequence[bytes], collection: dict[str, Any], stack: Stack
) -> list[bytes]:
    """The vector of each term in their order; `of_words` are those of the terms that are words."""
    words = iter(of_words)
    found = []
    for term in terms:
        if term.picture is not None:
            found.append(picture_vector(term.picture, collection, stack))
        elif term.point is not None:
            found.append(stored_point(term.point, stack, with_vectors=True)["vectors"])
        else:
            found.append(next(words))
    return found


def combined(weights: Sequence[float], vectors: Sequence[bytes]) -> bytes:
    """The sum of vectors (float32 bytes), each times its weight, brought to length one.

    Raises WrongUse where they take each other away.
    """
    if len(vectors) == 1 and weights[0] > 0:
        return vectors[0]
    total = [0.0] * (len(vectors[0]) // 4)
    for weight, vector in zip(weights, vectors, strict=True):
        for place, number in enumerate(array("f", vector)):
            total[place] += weight * number
    length = math.sqrt(sum(number * number for number in total))
    if length < _LEAST_LENGTH * sum(map(abs, weights)):
        raise WrongUse("The terms take each other away: nothing is left to search for.")
    return array("f", [number / length for number in total]).tobytes()


def for_model(clip_model: str | None) -> Target:
    """This collection and a CLIP model: that of the collection, whatever the settings of this command name."""
    return Target(COLLECTION_NAME, clip_model)
