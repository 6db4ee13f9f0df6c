"""The MicroBatcher: whatever is ready in one batch, and every item answered for itself."""

import os
import queue
import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.until import until
from workers.microbatcher import MicroBatcher

# glibc keeps memory that is freed, by rules that depend on the sizes before; with these settings it keeps none.
GIVES_BACK_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}


def test_every_item_gets_its_own_result() -> None:
    batcher: MicroBatcher[int, int] = MicroBatcher("double", lambda batch: [2 * item for item in batch], max_batch=4)
    futures = [batcher.submit(number) for number in range(23)]
    assert [future.result(60) for future in futures] == [2 * number for number in range(23)]
    batcher.close()


def test_items_that_gather_while_the_model_runs_form_one_full_batch() -> None:
    sizes: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def process(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        begun.set()
        go_on.wait(60)
        return batch

    batcher: MicroBatcher[int, int] = MicroBatcher("slow", process, max_batch=8)
    first = batcher.submit(0)
    assert begun.wait(60)
    rest = [batcher.submit(number) for number in range(1, 18)]
    go_on.set()
    assert [future.result(60) for future in [first, *rest]] == list(range(18))
    assert sizes == [1, 8, 8, 1]
    batcher.close()


def test_an_item_that_breaks_its_batch_fails_alone() -> None:
    go_on = threading.Event()

    def process(batch: list[int]) -> list[int]:
        go_on.wait(60)
        if 3 in batch:
            raise ValueError("three")
        return batch

    batcher: MicroBatcher[int, int] = MicroBatcher("picky", process, max_batch=8)
    futures = [batcher.submit(number) for number in range(6)]
    go_on.set()
    with pytest.raises(ValueError, match="three"):
        futures[3].result(60)
    assert [futures[number].result(60) for number in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 5]
    batcher.close()


def test_an_exception_in_the_place_of_a_result_fails_that_item() -> None:
    batcher: MicroBatcher[int, int] = MicroBatcher(
        "odd", lambda batch: [KeyError(item) if item % 2 else item for item in batch], max_batch=4
    )
    assert batcher.submit(2).result(60) == 2
    with pytest.raises(KeyError):
        batcher.submit(3).result(60)
    batcher.close()


def test_a_batch_too_large_for_the_device_is_halved_until_it_fits_and_the_size_is_kept() -> None:
    sizes: list[int] = []
    go_on = threading.Event()

    def process(batch: list[int]) -> list[int]:
        go_on.wait(60)
        if len(batch) > 5:
            raise MemoryError
        sizes.append(len(batch))
        return batch

    batcher = MicroBatcher("small", process, 32, too_large=lambda error: isinstance(error, MemoryError))
    first = batcher.submit(0)
    rest = [batcher.submit(number) for number in range(1, 70)]
    go_on.set()
    assert [future.result(60) for future in [first, *rest]] == list(range(70))
    assert batcher.max_batch <= 5
    assert max(sizes) <= 5
    batcher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the memory of a process")
@pytest.mark.parametrize("parts", [1, 2])
def test_batches_of_real_tensors_that_do_not_fit_lose_no_picture(parts: int) -> None:
    child = [sys.executable, "-m", "tests.workers.little_memory", str(parts)]
    environment = {**os.environ, **GIVES_BACK_AT_ONCE}
    done = subprocess.run(child, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["160", "0", "32"], done.stdout + done.stderr


def test_the_rest_of_a_batch_is_cut_by_the_size_that_fits() -> None:
    sizes: list[int] = []
    freed: list[int] = []

    begun, go_on = threading.Event(), threading.Event()

    def process(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        begun.set()
        go_on.wait(60)
        if len(batch) > 3:
            raise MemoryError
        return batch

    batcher = MicroBatcher(
        "small", process, 16, lambda error: isinstance(error, MemoryError), lambda: freed.append(len(sizes))
    )
    first = batcher.submit(0)
    assert begun.wait(60)
    rest = [batcher.submit(number) for number in range(1, 17)]
    go_on.set()
    assert [future.result(60) for future in [first, *rest]] == list(range(17))
    assert sizes == [1, 16, 8, 4, *8 * [2]]
    assert freed == [2, 3, 4]
    batcher.close()


def test_a_limit_that_has_shrunk_grows_again_up_to_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def process(batch: list[int]) -> list[int]:
        if len(batch) > room:
            raise MemoryError
        return batch

    room = 1
    batcher = MicroBatcher("neighbour", process, 8, lambda error: isinstance(error, MemoryError), gather_seconds=0.2)
    for future in [batcher.submit(number) for number in range(8)]:
        future.result(60)
    assert batcher.max_batch == 1
    room = 100
    monkeypatch.setattr("workers.microbatcher.GROW_SECONDS", -1.0)
    limits = []
    for _ in range(5):
        batcher.submit(0).result(60)
        until(lambda: batcher._waiting.empty(), "the batch to end")
        limits.append(batcher.max_batch)
    assert limits == [2, 4, 8, 8, 8]
    batcher.close()


def test_a_process_that_returns_too_few_results_never_shifts_them_to_other_items() -> None:
    go_on = threading.Event()

    def process(batch: list[int]) -> list[int]:
        go_on.wait(60)
        return batch[1:] if len(batch) > 1 else batch

    batcher: MicroBatcher[int, int] = MicroBatcher("short", process, max_batch=4)
    futures = [batcher.submit(number) for number in range(8)]
    go_on.set()
    assert [future.result(60) for future in futures] == list(range(8))
    batcher.close()


def test_close_works_off_what_was_submitted_and_refuses_more() -> None:
    batcher: MicroBatcher[int, int] = MicroBatcher("last", lambda batch: batch, max_batch=3)
    futures = [batcher.submit(number) for number in range(10)]
    batcher.close()
    assert [future.result(0) for future in futures] == list(range(10))
    with pytest.raises(RuntimeError):
        batcher.submit(11)


def test_what_waits_can_be_cancelled_while_the_batch_under_way_goes_on() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def process(batch: list[int]) -> list[int]:
        begun.set()
        go_on.wait(60)
        return batch

    batcher: MicroBatcher[int, int] = MicroBatcher("leaving", process, max_batch=4)
    first = batcher.submit(0)
    assert begun.wait(60)
    waiting = [batcher.submit(number) for number in range(1, 10)]
    batcher.cancel_waiting()
    late = batcher.submit(10)
    go_on.set()
    assert first.result(60) == 0
    for future in (*waiting, late):
        with pytest.raises(CancelledError):
            future.result(60)
    batcher.close()


@settings(deadline=None)
@given(count=st.integers(1, 60), size=st.integers(1, 17), bad=st.sets(st.integers(0, 59)))
def test_for_any_count_and_batch_size_each_item_ends_exactly_once(count: int, size: int, bad: set[int]) -> None:
    def process(batch: list[int]) -> list[str]:
        if bad & set(batch):
            raise ValueError
        return [str(item) for item in batch]

    batcher: MicroBatcher[int, str] = MicroBatcher("any", process, size)
    futures = [batcher.submit(number) for number in range(count)]
    for number, future in enumerate(futures):
        if number in bad:
            assert isinstance(future.exception(60), ValueError)
        else:
            assert future.result(60) == str(number)
    batcher.close()


def test_a_batch_that_is_kept_open_takes_in_what_comes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    all_are_in = threading.Event()

    def process(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        return batch

    # It is kept open for a whole minute, unless nothing more is on its way.
    monkeypatch.setattr("workers.microbatcher.MAX_GATHER_SECONDS", 60.0)
    batcher: MicroBatcher[int, int] = MicroBatcher(
        "test", process, 8, gather_seconds=0.01, expects=lambda: not all_are_in.is_set()
    )
    batcher._last_seconds = 3600.0 * 24
    futures = [batcher.submit(item) for item in range(6)]
    all_are_in.set()
    assert [future.result(60) for future in futures] == list(range(6))
    batcher.close()
    assert sizes == [6]


def test_no_batch_is_kept_open_when_nothing_more_is_on_its_way() -> None:
    for_ever = 1000.0
    batcher: MicroBatcher[int, int] = MicroBatcher(
        "test", lambda batch: batch, 8, gather_seconds=for_ever, expects=lambda: False
    )
    assert batcher.submit(1).result(30) == 1
    batcher.close()


def test_a_batch_that_fills_is_not_kept_open_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.microbatcher.MAX_GATHER_SECONDS", 1000.0)
    batcher: MicroBatcher[int, int] = MicroBatcher("test", lambda batch: batch, 2, gather_seconds=0.01)
    batcher._last_seconds = 3600.0 * 24
    first = batcher.submit(1)
    second = batcher.submit(2)
    assert (first.result(30), second.result(30)) == (1, 2)
    batcher.close()


def test_nothing_of_a_batch_is_held_while_the_next_one_is_awaited() -> None:
    class Item:
        """Something that a weak reference can point to."""

    def submitted() -> list["weakref.ref[Item]"]:
        items = [Item() for _ in range(3)]
        for future in [batcher.submit(item) for item in items]:
            future.result(60)
        return [weakref.ref(item) for item in items]

    batcher: MicroBatcher[Item, int] = MicroBatcher("items", lambda batch: [0] * len(batch), 3, gather_seconds=0.01)
    references = submitted()
    until(lambda: not any(reference() for reference in references), "the items to be gone")
    batcher.close()


def two_in_flight() -> tuple[MicroBatcher[int, int], "queue.SimpleQueue[list[int]]", threading.Semaphore]:
    """A batcher with two batches of 4 in flight, the batches that were begun, and what lets one of them end."""
    begun: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    go_on = threading.Semaphore(0)

    def process(batch: list[int]) -> list[int]:
        begun.put(batch)
        go_on.acquire(timeout=60)
        return batch

    return MicroBatcher("two", process, 4, in_flight=2), begun, go_on


def test_with_two_in_flight_the_next_full_batch_is_begun_while_one_is_processed() -> None:
    batcher, begun, go_on = two_in_flight()
    futures = [batcher.submit(number) for number in range(4)]
    first = begun.get(timeout=60)
    futures += [batcher.submit(number) for number in range(4, 12)]
    second = begun.get(timeout=60)
    assert len(second) == 4, "one that is not full waits while another is processed"
    assert begun.empty(), "there are never three"
    for _ in range(len(futures)):
        go_on.release()
    assert [future.result(60) for future in futures] == list(range(12))
    assert len(first) + len(second) <= 8
    batcher.close()


def test_with_two_in_flight_a_part_of_a_batch_waits_until_nothing_else_is_processed() -> None:
    batcher, begun, go_on = two_in_flight()
    futures = [batcher.submit(0)]
    assert begun.get(timeout=60) == [0]
    futures += [batcher.submit(1), batcher.submit(2)]
    with pytest.raises(queue.Empty):
        begun.get(timeout=0.1)
    go_on.release()
    assert begun.get(timeout=60) == [1, 2]
    go_on.release()
    assert [future.result(60) for future in futures] == [0, 1, 2]
    batcher.close()


@pytest.mark.parametrize("size", [1, 3, 8, 64])
def test_with_two_in_flight_every_item_gets_its_own_result_and_what_is_too_large_is_halved(size: int) -> None:
    def process(batch: list[int]) -> list[int | BaseException]:
        if len(batch) > 5:
            raise MemoryError
        return [ValueError(item) if item % 10 == 7 else -item for item in batch]

    batcher: MicroBatcher[int, int] = MicroBatcher(
        "two", process, size, lambda error: isinstance(error, MemoryError), in_flight=2
    )
    futures = [batcher.submit(number) for number in range(200)]
    batcher.close()
    for number, future in enumerate(futures):
        if number % 10 == 7:
            assert isinstance(future.exception(60), ValueError)
        else:
            assert future.result(60) == -number
    assert batcher.items == 200


def test_two_in_flight_end_when_they_are_closed_or_cancelled() -> None:
    batcher: MicroBatcher[int, int] = MicroBatcher("two", lambda batch: batch, 4, in_flight=2)
    batcher.cancel_waiting()
    future = batcher.submit(1)
    batcher.close()
    assert future.cancelled()
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(2)


def test_side_by_side_a_batch_begins_while_another_is_processed_though_it_is_not_full() -> None:
    both = threading.Barrier(2)

    def process(batch: list[int]) -> list[int]:
        both.wait(60)  # neither goes on before the other has begun
        return batch

    batcher: MicroBatcher[int, int] = MicroBatcher("two", process, 4, in_flight=2, side_by_side=True)
    futures = [batcher.submit(number) for number in range(2)]
    assert [future.result(60) for future in futures] == [0, 1]
    batcher.close()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_side_by_side_every_item_gets_its_own_result_and_no_batch_is_too_large(threads: int) -> None:
    sizes: queue.SimpleQueue[int] = queue.SimpleQueue()

    def process(batch: list[int]) -> list[int]:
        sizes.put(len(batch))
        return [2 * number for number in batch]

    batcher: MicroBatcher[int, int] = MicroBatcher("many", process, 4, in_flight=threads, side_by_side=True)
    futures = [batcher.submit(number) for number in range(200)]
    assert [future.result(60) for future in futures] == [2 * number for number in range(200)]
    batcher.close()
    found = [sizes.get() for _ in range(sizes.qsize())]
    assert sum(found) == 200
    assert max(found) <= 4


@pytest.mark.parametrize(("more_will_come", "taken"), [(True, 8), (False, 4)])
def test_side_by_side_the_last_items_are_shared_with_the_threads_that_are_still_busy(
    more_will_come: bool, taken: int
) -> None:
    begun: queue.SimpleQueue[int] = queue.SimpleQueue()
    go_on = threading.Semaphore(0)

    def process(batch: list[int]) -> list[int]:
        begun.put(len(batch))
        go_on.acquire(timeout=60)
        return batch

    batcher: MicroBatcher[int, int] = MicroBatcher(
        "two", process, 8, expects=lambda: more_will_come, in_flight=2, side_by_side=True
    )
    futures = []
    for number in range(2):  # both are busy
        futures.append(batcher.submit(number))
        assert begun.get(timeout=60) == 1
    futures += [batcher.submit(number) for number in range(2, 10)]
    go_on.release()
    assert begun.get(timeout=60) == taken
    go_on.release(20)
    assert [future.result(60) for future in futures] == list(range(10))
    batcher.close()
