"""What is loaded when it is first asked for: once, and a failure belongs to the one who asked."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workers.checkpoints.lazy import Lazy


def test_it_is_loaded_once_for_all_who_ask_at_the_same_time() -> None:
    loads: list[int] = []
    asked, go_on = threading.Semaphore(0), threading.Event()

    def load() -> object:
        loads.append(1)
        go_on.wait(60)
        return object()

    value = Lazy(load)
    assert not value.is_loaded

    def ask() -> object:
        asked.release()
        return value()

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask) for _ in range(4)]
        for _ in answers:
            asked.acquire()
        go_on.set()
        assert len({id(answer.result(60)) for answer in answers}) == 1
    assert loads == [1]
    assert value.is_loaded


def test_a_failure_is_told_to_the_one_who_asked_and_the_next_one_tries_again() -> None:
    tries: list[int] = []

    def load() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no cable")
        return "loaded"

    value = Lazy(load)
    with pytest.raises(OSError, match="no cable"):
        value()
    assert not value.is_loaded
    assert value() == "loaded"


@pytest.mark.parametrize("fails", [False, True])
def test_who_looks_on_hears_when_it_begins_and_when_it_ends(fails: bool) -> None:
    heard: list[tuple[str, str]] = []
    value = Lazy(lambda: 1 // (not fails), "loading BLIP", lambda what, progress: heard.append((what, progress)))
    if fails:
        with pytest.raises(ZeroDivisionError):
            value()
    else:
        value()
    assert heard == [("loading BLIP", ""), ("", "")]
