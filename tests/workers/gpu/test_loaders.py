"""The watchdog: work that hangs is named, then the process ends."""

import threading
import time

from workers.gpu.loaders import Watchdog


def test_work_that_hangs_is_named_and_then_the_process_ends() -> None:
    blamed: list[str] = []
    ended, finish = threading.Event(), threading.Event()
    watchdog = Watchdog(0.2, exit_process=ended.set)

    def hang() -> None:
        number = watchdog.start(lambda: blamed.append("the slow one"))
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
    watchdog = Watchdog(0.2, exit_process=ended.set)
    for _ in range(3):
        watchdog.stop(watchdog.start(lambda: None))
    time.sleep(0.6)
    assert not ended.is_set()


def test_the_process_ends_even_when_the_blame_cannot_be_written() -> None:
    ended = threading.Event()
    watchdog = Watchdog(0.1, exit_process=ended.set)

    def fail() -> None:
        raise ConnectionError

    watchdog.start(fail)
    assert ended.wait(30)
