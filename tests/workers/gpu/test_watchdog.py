"""The watchdog: work that hangs is named, then the process ends."""

import threading
import time

from tests.until import until
from workers.gpu.watchdog import CHECK_SECONDS, Watchdog


def test_work_that_hangs_is_named_and_then_the_process_ends() -> None:
    blamed: list[str] = []
    ended, finish = threading.Event(), threading.Event()
    watchdog = Watchdog(exit_process=ended.set)

    def hang() -> None:
        number = watchdog.start(0.2, lambda: blamed.append("the slow one"))
        finish.wait(30)
        watchdog.stop(number)

    thread = threading.Thread(target=hang)
    thread.start()
    assert ended.wait(30)
    assert blamed == ["the slow one"]
    finish.set()
    thread.join()


def test_work_that_ends_in_time_is_forgotten() -> None:
    ended = threading.Event()
    watchdog = Watchdog(exit_process=ended.set)
    # Longer than a thread waits for its turn on a busy machine.
    limit = 4 * CHECK_SECONDS
    for _ in range(3):
        watchdog.stop(watchdog.start(limit, lambda: None))
    begun = watchdog._now
    until(lambda: watchdog._now > begun + limit + 2 * CHECK_SECONDS, "the watchdog to look after their limit")
    assert not ended.is_set()


def test_each_work_has_its_own_limit() -> None:
    blamed: list[str] = []
    ended = threading.Event()
    watchdog = Watchdog(exit_process=ended.set)
    watchdog.start(1000, lambda: blamed.append("long"))
    watchdog.start(0.1, lambda: blamed.append("short"))
    assert ended.wait(30)
    assert blamed == ["short"]


def test_the_process_ends_even_when_the_blame_cannot_be_written() -> None:
    ended = threading.Event()
    watchdog = Watchdog(exit_process=ended.set)

    def fail() -> None:
        raise ConnectionError

    watchdog.start(0.1, fail)
    assert ended.wait(30)


def test_time_in_which_the_process_stood_still_is_nobodys_fault(monkeypatch: object) -> None:
    # As after SIGCONT: the clock has moved on by an hour between two looks.
    ended = threading.Event()
    watchdog = Watchdog(exit_process=ended.set)
    clock = time.monotonic
    number = watchdog.start(60, lambda: None)
    begun = watchdog._now
    time.monotonic = lambda: clock() + 3600
    try:
        until(lambda: watchdog._now > begun + 2 * CHECK_SECONDS, "the watchdog to look twice")
    finally:
        time.monotonic = clock
    watchdog.stop(number)
    assert not ended.is_set()
