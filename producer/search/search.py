"""Search by words, by pictures and by facts: embeddings from a GPU worker, the best points from storage."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from pictures.uris import point_id
from producer.collection.filled import filled_collection
from producer.collection.point import stored_point
from producer.collection.where import parse_conditions
from producer.records import Picture, Records
from producer.search.least_score import least_score
from producer.search.pictures import PictureFile
from producer.search.query import Query, without_copies
from producer.search.terms import Term
from producer.search.vectors import combined, embed_texts, for_model, term_vectors
from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.orders import place_in_order
from tasks.queues import ORDERED, SEARCH
from tasks.rpc import Question

SEARCH_SECONDS = 60.0
# How long a process that searches again and again goes by what it knows of the collection.
KNOWN_SECONDS = 10.0
Rows = list[dict[str, Any]]


class SearchResult(Records[Picture]):
    """The pictures that a search found, best first; `picture` is the one that was searched by, None for all else.

    `cut` has the texts of which the model takes fewer words than they have: the last ones did not count.
    `least` is the similarity that a result had to have, None for any. Where neither words nor a picture were asked for
    there is no score, and no order unless one was asked for.
    """

    def __init__(
        self,
        pictures: Iterable[Picture],
        picture: PictureFile | None,
        cut: Sequence[str] = (),
        least: float | None = None,
    ) -> None:
        super().__init__(pictures)
        self.picture = picture
        self.cut = tuple(cut)
        self.least = least

    @property
    def is_cut(self) -> bool:
        """True where the end of a text did not count."""
        return bool(self.cut)


def search(query: Query, stack: Stack) -> SearchResult:
    """The best points for the query, of those that its filter lets through."""
    return search_all([query], stack)[0]


def search_all(queries: Sequence[Query], stack: Stack) -> list[SearchResult]:
    """The answers to several queries, which the workers get together.

    Raises WrongUse for an empty collection, and ServiceMissing when a worker cannot come up.
    """
    if stack.known is not None and time.monotonic() - stack.known[0] < KNOWN_SECONDS:
        with suppress(WrongUse):  # it may have been made anew, for another model
            return _found(queries, stack.known[1], stack)
    facts = filled_collection(stack)
    stack.known = time.monotonic(), facts
    return _found(queries, facts, stack)


def _found(queries: Sequence[Query], facts: dict[str, Any], stack: Stack) -> list[SearchResult]:
    texts = {term.words: None for query in queries if query.by != "words" for term in query.words if term.words}
    made = embed_texts(list(texts), facts["clip_model"], stack)
    vectors = dict(zip(texts, made.vectors, strict=True))
    cut = {text for text, is_cut in zip(texts, made.are_cut, strict=True) if is_cut}
    # All are asked before the first answer is waited for.
    asked = [_asked(query, vectors, facts, stack) for query in queries]
    results = []
    for query, (question, least) in zip(queries, asked, strict=True):
        rows: Rows = wait_for(question, stack, SEARCH_SECONDS, "storage")
        if query.hidden:
            shown = [row for row in rows if point_id(row["uri"]) not in query.hidden]
            rows = shown[query.offset : query.offset + query.limit]
        texts_cut = [term.words for term in query.words if term.words in cut]
        results.append(SearchResult(map(Picture.from_row, _in_order(rows, query)), query.picture, texts_cut, least))
    return results


def _asked(
    query: Query, of_texts: dict[str, bytes], facts: dict[str, Any], stack: Stack
) -> tuple[Question, float | None]:
    """The question to the storage worker, and the least score that it has."""
    if not query.terms:
        options: dict[str, Any] = {"order": query.order, "descending": query.descending}
        return Question(ORDERED, where=query.where, offset=query.offset, limit=query.limit, **options), None
    words = [[term.words, term.weight] for term in query.words] if query.by != "meaning" else []
    vector: bytes | None = None
    least: float | None = None
    if query.by != "words":
        own = [of_texts[term.words] for term in query.words if term.words is not None]
        vector = combined([term.weight for term in query.terms], term_vectors(query.terms, own, facts, stack))
        least = least_score(query.terms, facts, stack) if query.least == "auto" else query.least
    # Where pictures are hidden they may be among the first ones: as copies, or as they were before a change.
    limit, offset, model = query.limit, query.offset, facts["clip_model"]
    if query.hidden:
        limit, offset = offset + limit + len(query.hidden), 0
    question = Question(
        SEARCH,
        for_model(model),
        vector=vector,
        clip_model=model,
        limit=limit,
        where=query.where,
        offset=offset,
        words=words,
        least=least,
        fields=query.fields,
    )
    return question, least


def _in_order(rows: Rows, query: Query) -> Rows:
    """The results of one answer as they are to be shown; they are best first, or in the order that was asked for."""
    if query.order is None or not query.terms:
        return rows
    if query.order == "score":
        best_first = sorted(rows, key=lambda row: -row["score"])
        return best_first[::-1] if query.descending else best_first
    order, descending = query.order, query.descending
    return sorted(rows, key=lambda row: place_in_order(row, order, descending), reverse=descending)


def similar_to(
    id: str, conditions: str | Sequence[str], limit: int, offset: int, copies: bool, stack: Stack
) -> SearchResult:
    """The pictures most like a point, best first; never the point itself, copies of it only with `copies`."""
    where = parse_conditions(conditions)
    payload = stored_point(id, stack, with_vectors=False)["payloads"][0]
    if not copies and payload.get("sha256"):
        where = without_copies(where, payload["sha256"])
    return search(Query((Term(1.0, point=id),), where, limit, (id,), offset=offset), stack)
