"""Paths that wait until they are at rest, on a clock that the test moves on."""

import os
from pathlib import Path

import pytest

import producer.collection.watching.pending
from producer.collection.watching.pending import Pending
from tests.producer.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as the waiting paths see it."""
    return Clock(monkeypatch, producer.collection.watching.pending)


def test_a_path_is_taken_once_it_has_been_at_rest_for_long_enough(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    pending = Pending(2.0)
    pending.add(bytes(path))
    clock.passes(1.9)
    assert pending.take_rested() == []
    assert bytes(path) in pending
    clock.passes(0.2)
    assert pending.take_rested() == [bytes(path)]
    assert len(pending) == 0
    assert pending.take_rested() == []


def test_a_file_that_grows_starts_anew_even_where_nobody_tells_of_it(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    pending = Pending(2.0)
    pending.add(bytes(path))
    clock.passes(1.9)
    path.write_bytes(b"xy")
    assert pending.take_rested() == []
    clock.passes(1.9)
    assert pending.take_rested() == []
    clock.passes(0.2)
    assert pending.take_rested() == [bytes(path)]


def test_a_path_that_changes_again_starts_anew(clock: Clock, tmp_path: Path) -> None:
    pending = Pending(2.0)
    pending.add(bytes(tmp_path / "gone.png"))
    clock.passes(1.9)
    pending.add(bytes(tmp_path / "gone.png"))
    clock.passes(1.9)
    assert pending.take_rested() == []
    clock.passes(0.2)
    assert pending.take_rested() == [os.fsencode(tmp_path / "gone.png")]
