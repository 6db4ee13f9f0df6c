"""When a stack may end; the waiting is shortened by asking as if time had passed."""

import os

import pytest

from tasks.stack.locks import acquire, is_held
from tasks.stack.paths import StackPaths
from workers.supervisor import usage as module
from workers.supervisor.broker_view import BrokerState
from workers.supervisor.usage import Usage


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the usage rules; locks keep the real one."""
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def state(files: int = 0, points: int = 0, unacked: int = 0, stop_now: bool = False) -> BrokerState:
    return BrokerState(files=files, embed=0, points=points, unacked=unacked, stop_now=stop_now, ready={})


def asked_later(usage: Usage, clock: Clock, seconds: float, seen: BrokerState | None) -> bool:
    clock.now += seconds
    return usage.over(seen, came_up=True)


def test_it_is_over_when_nobody_uses_it_and_then_newcomers_wait(local: StackPaths, clock: Clock) -> None:
    usage = Usage(local.users_lock, 0)
    assert usage.over(state(), came_up=True)
    assert is_held(local.users_lock)


def test_it_is_not_over_while_somebody_uses_it(local: StackPaths, clock: Clock) -> None:
    user = acquire(local.users_lock, shared=True)
    assert user
    usage = Usage(local.users_lock, 0)
    assert not asked_later(usage, clock, 1, state())
    assert not asked_later(usage, clock, 1000, state(stop_now=True))
    user.release()
    assert asked_later(usage, clock, 1, state())


def test_it_waits_for_another_user_for_some_time(local: StackPaths, clock: Clock) -> None:
    user = acquire(local.users_lock, shared=True)
    assert user
    usage = Usage(local.users_lock, linger_seconds=300)
    assert not asked_later(usage, clock, 1000, state())
    user.release()
    # From the first look at which nobody was there.
    assert not asked_later(usage, clock, 1, state())
    assert not asked_later(usage, clock, 299, state())
    assert asked_later(usage, clock, 2, state())


def test_a_user_who_came_and_went_between_two_looks_counts(local: StackPaths, clock: Clock) -> None:
    usage = Usage(local.users_lock, linger_seconds=300)
    assert not asked_later(usage, clock, 1, state())
    assert not asked_later(usage, clock, 298, state())
    user = acquire(local.users_lock, shared=True)
    assert user
    os.utime(user.fd, ns=(1, 1))
    user.release()
    assert not asked_later(usage, clock, 200, state())
    assert not asked_later(usage, clock, 299, state())
    assert asked_later(usage, clock, 2, state())


def test_one_that_is_told_to_go_waits_for_nobody(local: StackPaths, clock: Clock) -> None:
    usage = Usage(local.users_lock, linger_seconds=300)
    assert asked_later(usage, clock, 1, state(stop_now=True))


@pytest.mark.parametrize("work", [state(files=1), state(points=1), state(unacked=1)])
def test_work_is_finished_first_unless_told_otherwise(local: StackPaths, clock: Clock, work: BrokerState) -> None:
    usage = Usage(local.users_lock, 0)
    assert not asked_later(usage, clock, 1, work)
    assert not is_held(local.users_lock)
    assert asked_later(usage, clock, 1, state(files=1, stop_now=True))


def test_work_that_stands_still_is_left(local: StackPaths, clock: Clock) -> None:
    usage = Usage(local.users_lock, 0)
    assert not asked_later(usage, clock, 1, state(files=3))
    assert not asked_later(usage, clock, 29, state(files=2))
    assert not asked_later(usage, clock, 29, state(files=2))
    assert asked_later(usage, clock, 2, state(files=2))


def test_a_redis_that_does_not_come_back_is_not_waited_for_for_ever(local: StackPaths, clock: Clock) -> None:
    usage = Usage(local.users_lock, 0)
    assert not asked_later(usage, clock, 1, None)
    assert asked_later(usage, clock, 31, None)


def test_a_stack_that_never_came_up_has_nothing_to_finish(local: StackPaths, clock: Clock) -> None:
    assert Usage(local.users_lock, 0).over(None, came_up=False)
