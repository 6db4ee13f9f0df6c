"""Alone means alone: whatever kills a worker while a file is noted is that file."""

import random
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks.ledger import Ledger
from tests.until import until
from workers.gpu.isolation import Isolation


class Room:
    """Who is in at the moment, and who ever met whom."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: list[str] = []
        self.crowds: list[list[str]] = []

    def visit(self, name: str) -> None:
        with self.lock:
            self.inside.append(name)
            self.crowds.append(list(self.inside))
        threading.Event().wait(0.001)
        with self.lock:
            self.inside.remove(name)


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    return Ledger(client, "job")


def test_a_file_that_is_alone_never_meets_another_and_the_others_do_meet(ledger: Ledger) -> None:
    isolation, room = Isolation(), Room()

    def work(number: int) -> None:
        if number % 4:
            with isolation.shared():
                room.visit("together")
        else:
            with isolation.exclusive(ledger, number):
                assert ledger.attempts(list(range(80))) == {other: int(other == number) for other in range(80)}
                room.visit("alone")

    numbers = list(range(80))
    random.Random(3).shuffle(numbers)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, numbers))
    assert len(room.crowds) == 80
    assert [crowd for crowd in room.crowds if "alone" in crowd and len(crowd) > 1] == []
    assert set(ledger.attempts(numbers).values()) == {0}
    both = threading.Barrier(2)

    def meet(_: int) -> None:
        with isolation.shared():
            both.wait(60)  # neither leaves before the other has come

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(meet, range(2)))


def test_a_file_that_wants_to_be_alone_goes_before_those_that_come_later(ledger: Ledger) -> None:
    isolation = Isolation()
    order: list[str] = []

    def alone() -> None:
        with isolation.exclusive(ledger, 1):
            order.append("alone")

    def together() -> None:
        with isolation.shared():
            order.append("together")

    with isolation.shared():
        first = threading.Thread(target=alone)
        first.start()
        until(lambda: isolation._exclusive_requests, "the first to wait")
        later = [threading.Thread(target=together) for _ in range(3)]
        for thread in later:
            thread.start()
    for thread in (first, *later):
        thread.join(60)
    assert order == ["alone", "together", "together", "together"]


def test_the_note_stays_only_if_the_process_dies(ledger: Ledger) -> None:
    isolation = Isolation()
    with pytest.raises(ValueError, match="broken"), isolation.exclusive(ledger, 7):
        raise ValueError("broken")
    assert ledger.attempts([7]) == {7: 0}
    with isolation.shared():
        pass


def test_without_a_ledger_nobody_is_left_waiting(ledger: Ledger) -> None:
    isolation = Isolation()
    nowhere = Ledger(redis.Redis(unix_socket_path="/no.sock", retry=Retry(NoBackoff(), 0)), "job")
    with pytest.raises(redis.ConnectionError), isolation.exclusive(nowhere, 1):
        pass
    with isolation.shared():
        pass
    with isolation.exclusive(ledger, 1):
        pass


def test_closing_sends_away_who_waits_and_who_comes_but_not_who_is_in(ledger: Ledger) -> None:
    isolation = Isolation()
    sent_away: list[str] = []

    def wait_for_a_turn() -> None:
        try:
            with isolation.exclusive(ledger, 1):
                pass
        except CancelledError:
            sent_away.append("waiting")

    with isolation.shared():
        waiting = threading.Thread(target=wait_for_a_turn)
        waiting.start()
        until(lambda: isolation._exclusive_requests, "somebody to wait")
        isolation.close()
        waiting.join(60)
    with pytest.raises(CancelledError), isolation.shared():
        pass
    with pytest.raises(CancelledError), isolation.exclusive(ledger, 2):
        pass
    assert sent_away == ["waiting"]
    assert ledger.attempts([1, 2]) == {1: 0, 2: 0}
