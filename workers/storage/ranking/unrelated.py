"""How alike unrelated pairs of a collection are: questions at random against pictures at random."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from settings.errors import WrongUse
from tasks.queues import UNRELATED
from tasks.rpc.answers import answers
from workers.storage.catalog import Catalog
from workers.storage.state import catalog

PAGE_POINTS, SAMPLE = 256, 1024
QUESTIONS = 64
# Of a normal distribution 0.6 % lie beyond so many standard deviations. They are read off the bulk of the pairs,
# because a few of them belong together, however they are chosen: bursts, or one subject all over the collection.
DEVIATIONS = 2.5
ONE_DEVIATION = 0.8413


@answers(UNRELATED)
def unrelated(words: list[float], pictures: list[float], texts: bytes) -> float:
    """The cosine similarity that unrelated pairs hardly ever reach.

    `words` and `pictures` are the weights of the terms of a question; `texts` are vectors (float32 bytes) to stand for
    the words.
    """
    return least(catalog(), words, pictures, texts)


def least(store: Catalog, words: list[float], pictures: list[float], texts: bytes) -> float:
    """What `unrelated` answers, of a catalog; raises WrongUse for an empty one."""
    sample = _sample(store)
    if not len(sample):
        raise WrongUse("The collection is empty: there is nothing to compare with.")
    of_texts = np.frombuffer(texts, dtype="<f4").reshape(-1, sample.shape[1])
    # The same collection gives the same answer.
    dice = random.Random(0)
    questions = []
    for _ in range(QUESTIONS):
        question = np.zeros(sample.shape[1], dtype=np.float32)
        for weight in words:
            question += weight * of_texts[dice.randrange(len(of_texts))]
        for weight in pictures:
            question += weight * sample[dice.randrange(len(sample))]
        if length := float(np.linalg.norm(question)):
            questions.append(question / length)
    scores = sample @ np.stack(questions).T
    middle, above = np.quantile(scores, [0.5, ONE_DEVIATION])
    return float(min(middle + DEVIATIONS * (above - middle), 1.0))


def _sample(store: Catalog) -> NDArray[Any]:
    """The vectors of the first points: ids follow from addresses by SHA-1, so their order is none of the pictures."""
    vectors: list[NDArray[np.float32]] = []
    after: str | None = None
    while len(vectors) < SAMPLE:
        points, after = store.scroll(None, PAGE_POINTS, after, with_vectors=True, fields=[])
        vectors += [point.vector for point in points]
        if after is None:
            break
    return np.stack(vectors) if vectors else np.empty((0, 1), dtype=np.float32)
