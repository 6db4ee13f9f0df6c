"""The watchdog: work that hangs is named, then the process ends."""

import threading
import time

from workers.gpu.loaders import Watchdog


def test_work_that_hangs_is_named_and_then_the_process_ends() -> None:
    blamed: list[str] = []
    ended, finish = threading.Event(), threading.Event()
    dog = Watchdog(0.2, end=ended.set)

    def hang() -> None:
        number = dog.watch(lambda: blamed.append("the slow one"))
        finish.wait(30)
        dog.done(number)

    thread = threading.Thread(target=hang)
    thread.start()
    assert ended.wait(30)
    assert blamed == ["the slow one"]
    finish.set()
    thread.join()


def test_work_that_ends_in_time_is_forgotten() -> None:
    ended = threading.Event()
    dog = Watchdog(0.2, end=ended.set)
    for _ in range(3):
        dog.done(dog.watch(lambda: None))
    time.sleep(0.6)
    assert not ended.is_set()


def test_the_process_ends_even_when_the_blame_cannot_be_written() -> None:
    ended = threading.Event()
    dog = Watchdog(0.1, end=ended.set)

    def fail() -> None:
        raise ConnectionError

    dog.watch(fail)
    assert ended.wait(30)
