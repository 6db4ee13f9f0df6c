"""A question in the middle of an ingest: what passes is waited for, what does not ends the wait."""

from collections.abc import Callable

import pytest
import redis

from producer import waiting
from producer.waiting import NobodyAnswers, wait_through
from settings.errors import ServiceMissing, WrongUse
from tasks.queues import COLLECTION, QUERIES
from tasks.rpc import Question


@pytest.fixture
def question(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Question:
    """A question on its way to a storage worker."""
    monkeypatch.setattr(waiting, "AWAY_STEP_SECONDS", 0.0)
    return Question(COLLECTION)


def answers(client: redis.Redis, *given: Exception | int) -> Callable[[], int]:
    """The answers of a worker that takes a question and answers it, one after the other."""
    left = iter(given)

    def wait() -> int:
        assert client.lpop(QUERIES) is not None
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return wait


def test_what_a_worker_lacks_is_said_once_and_the_question_asked_again(question: Question, client: redis.Redis) -> None:
    said: list[str] = []
    full, away = ServiceMissing("Qdrant's disk is full."), ServiceMissing("Qdrant does not answer.")
    assert wait_through(question, answers(client, full, full, away, 7), said.append, lambda: False) == 7
    assert said == ["Qdrant's disk is full. Waiting for it.", "Qdrant does not answer. Waiting for it."]
    assert client.llen(QUERIES) == 0


@pytest.mark.parametrize("error", [NobodyAnswers("No storage worker answered."), WrongUse("Another model.")])
def test_what_does_not_pass_ends_the_wait(question: Question, client: redis.Redis, error: Exception) -> None:
    with pytest.raises(type(error)):
        wait_through(question, answers(client, error), print, lambda: False)


def test_ctrl_c_ends_the_wait(question: Question, client: redis.Redis) -> None:
    with pytest.raises(KeyboardInterrupt):
        wait_through(question, answers(client, ServiceMissing("Qdrant does not answer.")), print, lambda: True)
