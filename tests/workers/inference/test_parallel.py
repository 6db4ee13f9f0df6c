"""Parts of a batch side by side."""

import weakref
from collections.abc import Sequence
from threading import Barrier, Event

import pytest

from workers.inference.parallel import ParallelBatches


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("length", [1, 2, 5, 16])
def test_results_come_in_the_order_of_the_items(count: int, length: int) -> None:
    items = list(range(length))
    assert ParallelBatches(count)(lambda part: [10 * item for item in part], items) == [10 * item for item in items]


def test_the_parts_are_worked_on_at_the_same_time() -> None:
    both = Barrier(2, timeout=60)

    def work(part: Sequence[int]) -> Sequence[int]:
        both.wait()  # a part alone would wait here until the barrier breaks
        return part

    assert ParallelBatches(2)(work, [1, 2, 3]) == [1, 2, 3]


def test_what_a_part_raises_is_raised() -> None:
    def work(part: Sequence[int]) -> Sequence[int]:
        if 4 in part:
            raise MemoryError
        return part

    with pytest.raises(MemoryError):
        ParallelBatches(2)(work, [1, 2, 3, 4])


def test_the_other_parts_have_ended_when_the_error_of_one_is_raised() -> None:
    ended: list[int] = []
    failed = Event()

    def work(part: Sequence[int]) -> Sequence[int]:
        if 1 in part:
            failed.set()
            raise MemoryError
        assert failed.wait(60)
        Event().wait(0.1)  # long enough for an error that does not wait to be raised before this part ends
        ended.extend(part)
        return part

    with pytest.raises(MemoryError):
        ParallelBatches(2)(work, [1, 2])
    assert ended == [2]


def test_what_failed_parts_have_computed_is_gone_when_their_error_is_raised() -> None:
    computed: list[weakref.ref[Event]] = []

    def work(part: Sequence[int]) -> Sequence[int]:
        layer = Event()
        computed.append(weakref.ref(layer))
        raise MemoryError

    with pytest.raises(MemoryError):
        ParallelBatches(2)(work, [1, 2])
    assert [layer() for layer in computed] == [None, None]


def test_there_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ParallelBatches(0)
