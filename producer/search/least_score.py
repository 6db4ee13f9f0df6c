"""The similarity from which on a result fits: what the unrelated pairs of the collection hardly ever reach."""

import re
from collections.abc import Sequence
from typing import Any

from producer.search.terms import Term
from producer.search.vectors import embed_texts
from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import SCROLL, UNRELATED
from tasks.rpc import Question

ANSWER_SECONDS = 60.0
# With fewer pictures there are too few pairs to tell what is rare among them.
LEAST_PICTURES = 50
LEAST_CAPTIONS = 20
# Ids follow from names by SHA-1, so the first points in their order are a random sample of the collection.
CAPTIONED, TEXTS = 256, 64
# Asked for in the place of captions where the collection has none: what many collections do not show.
EVERYDAY = """
a zebra in the grass, a plate of sushi, a wedding dress, a steam train, a printed invoice, a snowy mountain, a goldfish
a football match, a microscope, an operating theatre, a cactus, a sailing boat, a church organ, a wind turbine
a motorcycle race, a chess board, an x-ray of a hand, a pile of firewood, a lighthouse, a school bus, a map of a city
a violin, a rocket launch, an elephant, a swimming pool, a birthday cake, a knitted sweater, a traffic jam, a penguin
a page of sheet music, a vineyard, a beehive
"""


def least_score(terms: Sequence[Term], facts: dict[str, Any], stack: Stack) -> float:
    """The cosine similarity that unrelated pairs of this collection hardly ever reach.

    The pairs are questions of the same shape against pictures: captions of others in the place of the words, others in
    the place of the pictures, with the same weights. Raises WrongUse for a collection of fewer than LEAST_PICTURES
    pictures. `facts` is what `collection_facts` says.
    """
    if facts["points"] < LEAST_PICTURES:
        raise WrongUse(f"The collection has fewer than {LEAST_PICTURES} pictures: give the least score as a number.")
    texts = b""
    if any(term.words for term in terms):
        found = wait_for(
            Question(SCROLL, where=None, limit=CAPTIONED, fields=["caption"]), stack, ANSWER_SECONDS, "storage"
        )
        captions = list(dict.fromkeys(each["caption"] for each in found["payloads"] if each.get("caption")))
        everyday = [text.strip() for text in re.split("[,\n]", EVERYDAY) if text.strip()]
        own = captions[:TEXTS] if len(captions) >= LEAST_CAPTIONS else everyday
        texts = b"".join(embed_texts(own, facts["clip_model"], stack).vectors)
    question = Question(
        UNRELATED,
        words=[term.weight for term in terms if term.words is not None],
        pictures=[term.weight for term in terms if term.words is None],
        texts=texts,
    )
    least: float = wait_for(question, stack, ANSWER_SECONDS, "storage")
    return least
