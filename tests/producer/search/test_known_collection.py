"""A process that searches again and again asks once what the collection is, until what it knows is old or wrong."""

from typing import Any, cast

import pytest

from producer.search import search
from producer.search.query import Query
from producer.search.terms import Term
from producer.stack import Stack
from settings.errors import WrongUse

QUERIES = [Query((Term(1.0, words="a dog"),), None, 10)]


class Workers:
    """What the workers would say: which model the collection has, and how often they were asked for it."""

    def __init__(self) -> None:
        self.model, self.asked = "one", 0
        self.searched: list[str] = []

    def facts(self, _stack: Stack) -> dict[str, Any]:
        self.asked += 1
        return {"name": "pictures", "clip_model": self.model, "points": 3}

    def found(self, _queries: object, facts: dict[str, Any], _stack: Stack) -> list[object]:
        if facts["clip_model"] != self.model:
            raise WrongUse("another model")
        self.searched.append(facts["clip_model"])
        return []


class Known:
    """The part of a stack that is looked at here."""

    known: tuple[float, dict[str, Any]] | None = None


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    made = Workers()
    monkeypatch.setattr(search, "filled_collection", made.facts)
    monkeypatch.setattr(search, "_found", made.found)
    return made


def test_what_is_known_is_not_asked_again_until_it_is_old(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = cast(Stack, Known())
    for _ in range(3):
        search.search_all(QUERIES, stack)
    assert (len(workers.searched), workers.asked) == (3, 1)
    monkeypatch.setattr(search, "KNOWN_SECONDS", 0.0)
    search.search_all(QUERIES, stack)
    assert workers.asked == 2


def test_a_collection_that_was_made_anew_for_another_model_is_searched_by_that_one(workers: Workers) -> None:
    stack = cast(Stack, Known())
    search.search_all(QUERIES, stack)
    workers.model = "other"
    search.search_all(QUERIES, stack)
    assert (workers.searched, workers.asked) == (["one", "other"], 2)


def test_what_is_wrong_with_the_question_itself_is_told(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = cast(Stack, Known())
    search.search_all(QUERIES, stack)

    def refuse(*_: object) -> None:
        raise WrongUse("The terms take each other away: nothing is left to search for.")

    monkeypatch.setattr(search, "_found", refuse)
    with pytest.raises(WrongUse, match="take each other away"):
        search.search_all(QUERIES, stack)
