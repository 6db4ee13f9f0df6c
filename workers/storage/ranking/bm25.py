"""The words of a picture as a sparse vector, for ranking by BM25: of caption, title, keywords, name, text in it.

The engine cuts texts into words, leaves out those that say nothing, and takes English endings off (`dogs` finds dog);
accents make no difference. Neighbouring words count together as well, so that `red circle` finds the red circle before
the red square beside a circle. How rare a word is, the engine knows from all points (the modifier IDF).
Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import qdrant_edge as edge

from workers.text import fold, has_unspaced

# The name of the sparse vector beside the embedding, which has none.
SPARSE = "words"
# Single texts, and fields with a list of them.
TEXT_FIELDS = ("caption", "title", "description", "text", "name", "keywords", "concepts", "places")
# Words that say nothing are left out, so a caption has some eight and a dozen with its name; pairs as many.
AVERAGE_WORDS = 12.0
# No text in a picture tells more by its ten thousandth word.
MOST_CHARACTERS = 20_000


@dataclass(frozen=True)
class Terms:
    """A sparse vector: the numbers that stand for words and for pairs of them, and how much each counts."""

    indices: list[int]
    values: list[float]


@cache
def _model(tokenizer: str) -> edge.Bm25:
    kind = getattr(edge.TokenizerType, tokenizer)
    return edge.Bm25(edge.Bm25Config(avg_len=AVERAGE_WORDS, language="english", tokenizer=kind, ascii_folding=True))


def _single(text: str) -> edge.Bm25:
    # The one that knows words without spaces between them takes twice as long.
    return _model("Multilingual" if has_unspaced(text) else "Word")


def _pairs() -> edge.Bm25:
    return _model("Whitespace")


def terms_of_payload(payload: Mapping[str, Any]) -> Terms:
    """The words of a point; empty where it has none."""
    texts = [fold(text)[:MOST_CHARACTERS] for field in TEXT_FIELDS for text in _texts(payload.get(field))]
    if not texts:
        return Terms([], [])
    whole = "\n".join(texts)
    found = dict(_weights(_single(whole).embed_document(whole)))
    if pairs := [pair for text in texts for pair in _neighbours(text)]:
        found |= _weights(_pairs().embed_document(" ".join(pairs)))
    return Terms(list(found), list(found.values()))


def asked_terms(words: Iterable[tuple[str, float]]) -> Terms:
    """The words of a question, each text with its weight; empty where none of them says anything."""
    total: dict[int, float] = {}
    for text, weight in words:
        folded = fold(text)[:MOST_CHARACTERS]
        pairs = " ".join(_neighbours(folded))
        for index, value in [*_weights(_single(folded).embed_query(folded)), *_weights(_pairs().embed_query(pairs))]:
            total[index] = total.get(index, 0.0) + weight * value
    return Terms(list(total), list(total.values()))


def _weights(vector: edge.SparseVector) -> Iterable[tuple[int, float]]:
    return zip(vector.indices, vector.values, strict=True)


def _neighbours(text: str) -> list[str]:
    words = text.replace("_", " ").split()
    return [f"{one}_{other}" for one, other in pairwise(words)]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))
