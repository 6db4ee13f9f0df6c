"""Waiting: what a killed worker or an absent Redis took away is asked for again."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import redis

import producer.waiting
from producer.stack import Stack
from producer.waiting import _look_at_workers, raise_faults, wait_for, with_retries
from settings import load_settings
from settings.errors import ServiceMissing
from tasks.queues import FILES
from tasks.registry import announce, renew_worker, report_fault
from tasks.rpc import Question
from tests.tasks.tiny_worker import COUNT, ECHO
from tests.tasks.workers import workers_on
from tests.until import until


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that runs elsewhere, on the Redis of the tests."""
    stack = Stack(load_settings())
    monkeypatch.setattr(stack, "is_local", False)
    return stack


def test_a_question_that_died_with_its_worker_is_asked_again(
    client: redis.Redis, redis_process: str, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.waiting, "ASK_AGAIN_SECONDS", 0.5)
    question = Question(ECHO, value="still here")
    assert client.delete(FILES) == 1
    with workers_on(redis_process, tmp_path) as workers:
        workers.start("answering")
        assert wait_for(question, stack, 60, "storage") == "still here"


def test_a_question_that_died_with_its_worker_is_begun_again(
    client: redis.Redis, redis_process: str, tmp_path: Path
) -> None:
    with workers_on(redis_process, tmp_path) as workers:
        first = workers.start("first")
        question = Question(COUNT, name="dead", seconds=60)
        until(lambda: client.get("counted:dead"), "the first worker to begin")
        first.kill()
        first.wait()
        # A worker of the same name and perhaps of the same process id, as in a container that starts anew.
        workers.start("first")
        question.ask_again()
        until(lambda: client.get("counted:dead") == b"2", "the next one to begin")
        client.rpush("let:dead", "go")
        assert question.wait(60) == 2


def test_what_fails_while_redis_is_away_is_done_when_it_is_back(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer.waiting, "AWAY_STEP_SECONDS", 0.01)
    answers = [redis.exceptions.ConnectionError(), redis.exceptions.TimeoutError(), OSError()]
    said: list[str] = []

    def work() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert with_retries(work, stack, said.append) == "done"
    assert said == ["Redis does not answer; waiting for it."]


def test_a_redis_that_refuses_is_named_and_what_it_answers_about_our_own_fault_is_raised_at_once(
    stack: Stack, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.waiting, "AWAY_STEP_SECONDS", 0.01)
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        client.config_set("maxmemory", "0")

    client.config_set("maxmemory", "1")
    assert with_retries(lambda: client.set("key", "value"), stack, say)
    assert said == ["Redis is full (its maxmemory is reached); waiting for it."]
    with pytest.raises(redis.ResponseError, match="out of range"):
        with_retries(lambda: client.setbit("bits", 2**32, 1), stack, say)


def test_as_long_as_others_get_on_a_full_redis_is_waited_for_and_then_it_is_a_missing_service(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.waiting, "AWAY_STEP_SECONDS", 0.0)
    now = iter(range(1_000_000))
    monkeypatch.setattr("producer.waiting.time.monotonic", lambda: next(now))
    tries, stored = 0, 0

    def work() -> None:
        nonlocal tries
        tries += 1
        raise redis.exceptions.OutOfMemoryError("no room")

    def moved() -> int:
        nonlocal stored
        stored = min(stored + 1, 500)
        return stored

    with pytest.raises(ServiceMissing, match=r"^Redis is full .* and that for 120 s \(no room\)\.$"):
        with_retries(work, stack, lambda _: None, moved)
    assert tries > 500


def test_a_redis_that_stays_away_is_a_missing_service(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer.waiting, "BROKER_SECONDS", 0.0)

    def work() -> None:
        raise redis.exceptions.ConnectionError("refused")

    with pytest.raises(ServiceMissing, match=r"^Redis is away for 0 s \(refused\)\.$"):
        with_retries(work, stack, print)


def test_a_fault_is_raised_unless_another_worker_of_its_kind_works(client: redis.Redis, stack: Stack) -> None:
    report_fault(client, "gpu0@broken", "The GPU has no memory left.")
    report_fault(client, "storage@broken", "Qdrant is away.")
    announce(client, "storage@working")
    raise_faults(stack, "storage")
    with pytest.raises(ServiceMissing, match=r"^The GPU has no memory left\.$"):
        raise_faults(stack, "gpu")
    announce(client, "gpu0@working")
    raise_faults(stack, "gpu")


def test_without_a_worker_of_its_kind_a_question_is_not_waited_for(
    client: redis.Redis, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.waiting, "ABSENT_SECONDS", 0.1)
    announce(client, "storage@a")
    with pytest.raises(
        ServiceMissing, match=r"^No GPU worker is up at this Redis: start one with `python -m workers gpu`\.$"
    ):
        wait_for(Question(ECHO, value=1), stack, 600, "gpu")


def test_a_worker_that_loads_its_models_is_waited_for(
    client: redis.Redis, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.waiting, "ABSENT_SECONDS", 0.1)
    renew_worker(client, "gpu0@loading")
    with pytest.raises(ServiceMissing, match=r"^No gpu worker answered in 2 s: "):
        wait_for(Question(ECHO, value=1), stack, 2, "gpu")


@pytest.mark.usefixtures("client")
def test_of_many_threads_that_wait_one_looks_at_the_workers_for_all(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def lives(who: str) -> bool:
        looked.append(who)
        return True

    monkeypatch.setattr(stack, "lives", lives)
    monkeypatch.setattr(producer.waiting, "WORKERS_SECONDS", 3600.0)
    with ThreadPoolExecutor(16) as threads:
        assert all(look.live for look in threads.map(partial(_look_at_workers, stack), 64 * ["storage"]))
    _look_at_workers(stack, "gpu")
    assert looked == ["storage", "gpu"]
    monkeypatch.setattr(producer.waiting, "WORKERS_SECONDS", 0.0)
    _look_at_workers(stack, "gpu")
    assert looked == ["storage", "gpu", "gpu"]
