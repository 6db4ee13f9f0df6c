"""Questions to a real worker: values and sentences come back as what they were."""

from collections.abc import Iterator

import pytest
from celery.backends.asynchronous import E_RETRY_LIMIT_EXCEEDED
from redis.exceptions import RedisError

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app
from tasks.queues import PLAN
from tasks.rpc import Question, _shown, ask, reply
from tests.tasks.tiny_worker import BREAK, ECHO, REFUSE
from tests.tasks.workers import workers_on

SECONDS = 60.0


@pytest.fixture(scope="module")
def worker(redis_process: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One worker that answers."""
    with workers_on(redis_process, tmp_path_factory.mktemp("rpc")) as workers:
        workers.start("answering")
        yield


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("value", [None, 0, "größer", b"\x00\xff" * 100, [1, [2.5, None]], {"a": b"b", "c": {}}])
def test_a_value_comes_back_as_it_is(value: object) -> None:
    assert ask(ECHO, SECONDS, value=value) == value


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("WrongUse", WrongUse),
        ("ServiceMissing", ServiceMissing),
        ("DarkroomError", DarkroomError),
        ("DiskFull", ServiceMissing),
    ],
)
def test_an_error_comes_back_as_its_sentence_and_with_its_exit_code(kind: str, expected: type[DarkroomError]) -> None:
    with pytest.raises(DarkroomError) as met:
        ask(REFUSE, SECONDS, kind=kind, sentence="The disk is full: größer als erlaubt.")
    assert type(met.value) is expected
    assert str(met.value) == "The disk is full: größer als erlaubt."


@pytest.mark.usefixtures("worker")
def test_an_error_that_nobody_foresaw_is_not_taken_for_an_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        ask(BREAK, SECONDS)


@pytest.mark.usefixtures("worker")
def test_a_question_can_be_looked_after_without_waiting() -> None:
    questions = [Question(ECHO, value=number) for number in range(20)]
    assert [question.wait(SECONDS) for question in questions] == list(range(20))
    assert not Question(PLAN).ready()


@pytest.mark.usefixtures("client")
def test_when_nobody_answers_the_wait_ends_and_names_the_question() -> None:
    with pytest.raises(TimeoutError, match=r"^no answer to darkroom\.plan in 0\.2 s$"):
        ask(PLAN, 0.2)


def test_the_workers_side_tells_errors_by_kind_and_lets_through_what_nobody_foresaw() -> None:
    def refuse() -> None:
        raise WrongUse("no such field")

    assert reply(lambda: 7) == {"value": 7}
    assert reply(refuse) == {"error": "no such field", "kind": "WrongUse"}
    with pytest.raises(ZeroDivisionError):
        reply(lambda: 1 / 0)


def test_a_redis_that_is_away_for_too_long_is_a_redis_error_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object, **__: object) -> None:
        raise RuntimeError(E_RETRY_LIMIT_EXCEEDED)

    monkeypatch.setattr(app, "send_task", give_up)
    with pytest.raises(RedisError, match="does not answer"):
        Question(ECHO, value=1)


def test_flower_is_shown_the_length_of_what_is_long_and_the_rest_as_it_is() -> None:
    shown = _shown({"vector": b"\x00" * 2048, "limit": 5, "where": {"a": 1}, "ids": ["x"] * 1500, "texts": ["a cat"]})
    assert shown == "{vector: <2,048 bytes>, limit: 5, where: {'a': 1}, ids: <1,500 items>, texts: ['a cat']}"
