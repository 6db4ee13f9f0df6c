"""Going on after several futures: once, after the last of them, however they end and whoever ends them."""

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from workers.gpu.delivery import when_all


def test_nothing_to_wait_for_goes_on_at_once() -> None:
    calls: list[int] = []
    when_all([], lambda: calls.append(1))
    assert calls == [1]


def test_futures_that_have_ended_before_count_as_well() -> None:
    ended: Future[int] = Future()
    ended.set_result(1)
    open_one: Future[int] = Future()
    calls: list[int] = []
    when_all([ended, open_one], lambda: calls.append(1))
    assert calls == []
    open_one.set_result(2)
    assert calls == [1]


@pytest.mark.parametrize("last", ["result", "error", "cancelled"])
def test_an_error_and_a_cancelled_future_are_ends_too(last: str) -> None:
    futures: list[Future[int]] = [Future() for _ in range(3)]
    calls: list[int] = []
    when_all(futures, lambda: calls.append(1))
    ends = {
        "result": lambda future: future.set_result(1),
        "error": lambda future: future.set_exception(ValueError()),
        "cancelled": lambda future: future.cancel(),
    }
    order = [how for how in ends if how != last] + [last]
    for future, how in zip(futures, order, strict=True):
        assert calls == []
        ends[how](future)
    assert calls == [1]


def test_many_threads_that_end_them_at_once_go_on_once() -> None:
    rng = random.Random(5)
    for _ in range(200):
        futures: list[Future[int]] = [Future() for _ in range(rng.randint(1, 12))]
        calls: list[int] = []
        start = threading.Barrier(4)
        parts = [futures[number::3] for number in range(3)]

        def end(part: list[Future[int]], start: threading.Barrier = start) -> None:
            start.wait(60)
            for future in part:
                future.set_result(1)

        with ThreadPoolExecutor(3) as pool:
            for part in parts:
                pool.submit(end, part)
            start.wait(60)
            when_all(futures, partial(calls.append, 1))
        assert calls == [1]
