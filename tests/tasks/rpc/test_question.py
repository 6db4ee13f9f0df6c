"""Questions to a real worker: values and sentences come back as what they were."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.messages import Target
from tasks.queues import PLAN, QUERIES
from tasks.rpc.answers import reply
from tasks.rpc.question import MOST_IN_MESSAGE, Question, _shown, ask, beside
from tests.conftest import ROOT
from tests.tasks.tiny_worker import BREAK, COUNT, ECHO, FAIL, REFUSE
from tests.tasks.workers import workers_on
from tests.until import until

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
def test_an_error_that_nobody_foresaw_is_a_sentence_with_the_worker_and_its_log() -> None:
    sentence = (
        rf"^The worker answering@{re.escape(socket.gethostname())} could not answer \(ZeroDivisionError: division by "
        r"zero\): see its log, answering\.log in logs below its data\.dir\.$"
    )
    with pytest.raises(ServiceMissing, match=sentence):
        ask(BREAK, SECONDS)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        (Target("cats"), "keeps the collection 'pictures', and this is for 'cats': set qdrant.collection "),
        (Target("pictures", "b-clip"), "has the CLIP model a-clip, and this is for b-clip: set models.clip "),
        (Target("pictures", None, "b"), "writes captions by a-blip, and this is for captions by b: set models.blip "),
    ],
)
def test_a_worker_refuses_what_is_for_other_things_than_it_has(target: Target, wrong: str) -> None:
    with pytest.raises(WrongUse, match=f"^answering@.* {re.escape(wrong)}"):
        ask(ECHO, SECONDS, target, value=1)
    assert ask(ECHO, SECONDS, Target("pictures", "a-clip", "a-blip"), value=1) == 1
    # Captions that are not wanted are not written.
    assert ask(ECHO, SECONDS, Target("pictures", "a-clip", ""), value=1) == 1


@pytest.mark.usefixtures("worker")
def test_what_makes_a_question_large_comes_beside_it_and_is_gone_with_the_answer(client: redis.Redis) -> None:
    pictures = [bytes(MOST_IN_MESSAGE), b"small"]
    question = Question(ECHO, value=pictures)
    name = question._answer.name
    assert question.wait(SECONDS) == pictures
    assert not client.exists(beside(name))


def test_the_message_of_a_large_question_is_small_and_withdrawn_with_what_lies_beside_it(client: redis.Redis) -> None:
    question = Question(PLAN, uris=["file:///a"] * MOST_IN_MESSAGE)
    (message,) = client.lrange(QUERIES, 0, -1)
    assert len(message) < MOST_IN_MESSAGE
    assert client.ttl(beside(question._answer.name)) > 0
    # A worker that was killed has taken both along.
    client.delete(QUERIES, beside(question._answer.name))
    question.ask_again()
    assert client.llen(QUERIES) == 1
    assert client.exists(beside(question._answer.name))
    question.withdraw()
    assert not client.exists(beside(question._answer.name))
    assert client.llen(QUERIES) == 0


@pytest.mark.usefixtures("worker")
def test_a_question_that_is_asked_again_is_begun_once_and_has_one_answer(redis_process: str) -> None:
    client = redis.Redis.from_url(redis_process)
    question = Question(COUNT, name="again", seconds=2)
    until(lambda: client.get("counted:again"), "the worker to begin")
    question.ask_again()
    assert question.wait(SECONDS) == 1
    # Also when it comes after the answer.
    question.ask_again()
    assert ask(ECHO, SECONDS, value=1) == 1
    assert client.get("counted:again") == b"1"
    client.close()


def test_a_question_that_still_waits_in_its_queue_is_not_sent_again(client: redis.Redis) -> None:
    question = Question(PLAN, uris=[])
    question.ask_again()
    assert client.llen(QUERIES) == 1
    assert client.delete(QUERIES) == 1
    question.ask_again()
    assert client.llen(QUERIES) == 1
    other = Question(PLAN, uris=["file:///a"])
    question.withdraw()
    assert client.llen(QUERIES) == 1
    other.withdraw()
    assert client.llen(QUERIES) == 0


@pytest.mark.usefixtures("worker")
def test_a_question_can_be_looked_after_without_waiting() -> None:
    questions = [Question(ECHO, value=number) for number in range(20)]
    assert [question.wait(SECONDS) for question in questions] == list(range(20))
    assert not Question(PLAN).ready()


@pytest.mark.usefixtures("client")
def test_when_nobody_answers_the_wait_ends_and_names_the_question() -> None:
    with pytest.raises(TimeoutError, match=r"^no answer to darkroom\.plan in 0\.2 s$"):
        ask(PLAN, 0.2)


def test_the_workers_side_tells_errors_by_kind_and_hides_what_nobody_foresaw() -> None:
    def refuse() -> None:
        raise WrongUse("no such field")

    assert reply(lambda: 7) == {"value": 7}
    assert reply(refuse) == {"error": "no such field", "kind": "WrongUse"}
    assert reply(lambda: 1 / 0)["kind"] == "ServiceMissing"


@pytest.mark.usefixtures("worker")
def test_a_task_that_fails_in_celerys_own_way_is_a_sentence() -> None:
    with pytest.raises(DarkroomError, match=r"^The worker could not answer \(ValueError: bad\): see its log\.$"):
        ask(FAIL, SECONDS)


@pytest.mark.usefixtures("worker")
def test_text_that_is_no_utf_8_is_refused_before_it_is_sent() -> None:
    with pytest.raises(WrongUse, match="bytes that are no UTF-8"):
        Question(ECHO, value="\udcff")


@pytest.mark.usefixtures("worker")
def test_many_threads_that_wait_get_each_its_own_answer() -> None:
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(lambda number: ask(ECHO, SECONDS, value=number), range(320))) == list(range(320))


def test_asking_needs_no_celery() -> None:
    modules = "tasks.rpc, producer.waiting, producer.client, producer.commands.search, producer.commands.jobs"
    code = f"import sys, {modules}; print({{'celery', 'kombu', 'amqp'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_flower_is_shown_the_length_of_what_is_long_and_the_rest_as_it_is() -> None:
    shown = _shown({"vector": b"\x00" * 2048, "limit": 5, "where": {"a": 1}, "ids": ["x"] * 1500, "texts": ["a cat"]})
    assert shown == "{vector: <2,048 bytes>, limit: 5, where: {'a': 1}, ids: <1,500 items>, texts: ['a cat']}"
    assert _shown({"images": [b"\xff" * 100_000, b"\x00"]}) == "{images: [<100,000 bytes>, b'\\x00']}"
