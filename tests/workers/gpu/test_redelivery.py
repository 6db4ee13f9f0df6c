"""Files that come a second time: their last worker may have died of them."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import workers.gpu.loading.picture_loader
from tests.until import until
from tests.workers.gpu.bench import BATCH, OpenBench, files_of


def test_a_redelivered_file_that_is_done_is_dropped(open_bench: OpenBench, folder: Path) -> None:
    bench = open_bench()
    files = files_of(folder, 4)
    bench.ledger.stored([files[1].number], [False])
    bench.ledger.skipped([files[2].number])
    bench.process(files, redelivered=True)
    assert set(bench.rows) == {files[0].number, files[3].number}
    assert bench.failures == {}


def test_a_file_that_took_its_workers_down_is_failed_and_its_neighbours_go_through(
    open_bench: OpenBench, folder: Path
) -> None:
    bench = open_bench()
    files = files_of(folder, 3)
    limit = bench.settings.ingest.max_attempts
    for _ in range(limit - 1):  # the first delivery, which leaves no note, was one more
        bench.ledger.count_attempt(files[1].number)
    bench.process(files, redelivered=True)
    assert bench.failures == {files[1].number: f"its worker died while working on it, {limit} times over"}
    assert set(bench.rows) == {files[0].number, files[2].number}


def test_a_file_noted_less_often_is_tried_again_and_living_through_it_adds_no_note(
    open_bench: OpenBench, folder: Path
) -> None:
    bench = open_bench()
    (item,) = files_of(folder, 1)
    notes = bench.settings.ingest.max_attempts - 2
    for _ in range(notes):
        bench.ledger.count_attempt(item.number)
    bench.process([item], redelivered=True)
    assert set(bench.rows) == {item.number}
    assert bench.ledger.count_attempt(item.number) == notes + 1


def test_a_first_delivery_leaves_no_note(open_bench: OpenBench, folder: Path) -> None:
    bench = open_bench()
    (item,) = files_of(folder, 1)
    bench.process([item])
    assert bench.ledger.count_attempt(item.number) == 1


@pytest.mark.parametrize("where", ["clip", "blip", "decode"])
def test_a_redelivered_file_stays_noted_while_it_is_loaded_and_computed(
    open_bench: OpenBench, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    bench = open_bench(captions=True)
    (item,) = files_of(folder, 1)
    noted: list[int] = []

    def looking(work: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any) -> Any:
            noted.append(bench.ledger.attempts([item.number])[item.number])
            return work(*arguments)

        return look

    assert bench.pipeline.blip_batcher is not None
    place, name = {
        "clip": (bench.pipeline.clip_batcher, "_process"),
        "blip": (bench.pipeline.blip_batcher, "_process"),
        "decode": (workers.gpu.loading.picture_loader, "decode"),
    }[where]
    monkeypatch.setattr(place, name, looking(getattr(place, name)))
    bench.process([item], redelivered=True)
    assert noted == [1]
    assert bench.ledger.attempts([item.number]) == {item.number: 0}
    assert set(bench.rows) == {item.number}


def test_redelivered_files_of_one_message_are_computed_one_at_a_time(open_bench: OpenBench, folder: Path) -> None:
    bench = open_bench()
    files = files_of(folder, 3)
    bench.process(files, redelivered=True)
    assert set(bench.rows) == {item.number for item in files}
    assert (bench.pipeline.clip_batcher.batches, bench.pipeline.clip_batcher.items) == (3, 3)


def test_a_worker_that_was_killed_by_chance_blames_nobody_until_the_third_death(
    open_bench: OpenBench, folder: Path
) -> None:
    bench = open_bench()
    (item,) = files_of(folder, 1)
    assert bench.settings.ingest.max_attempts == 3
    bench.ledger.count_attempt(item.number)  # the second death, the first one while the file was alone
    bench.process([item], redelivered=True)
    assert set(bench.rows) == {item.number}
    bench.ledger.count_attempt(item.number)
    bench.process([item], redelivered=True)
    assert bench.failures == {item.number: "its worker died while working on it, 3 times over"}


def test_a_worker_that_stops_cancels_what_no_model_holds(
    open_bench: OpenBench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    files = files_of(folder, 12)
    begun, go_on = threading.Event(), threading.Event()
    process = bench.pipeline.clip_batcher._process

    def slow(batch: list[Any]) -> Any:
        begun.set()
        go_on.wait(30)
        return process(batch)

    monkeypatch.setattr(bench.pipeline.clip_batcher, "_process", slow)
    with ThreadPoolExecutor(12) as pool:
        results = [pool.submit(bench.process, [item]) for item in files]
        assert begun.wait(30)
        until(lambda: bench.pipeline.clip_batcher._waiting.qsize(), "more to wait than the model holds")
        bench.pipeline.cancel(30)
        go_on.set()
        errors = [result.exception(30) for result in results]
    stored = {item.number for item, error in zip(files, errors, strict=True) if error is None}
    assert stored == set(bench.rows)
    assert 1 <= len(stored) <= BATCH
    assert {type(error) for error in errors if error} == {CancelledError}
    assert bench.failures == {}


def test_a_worker_that_stops_does_not_wait_for_a_model_that_takes_too_long(
    open_bench: OpenBench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    begun, go_on = threading.Event(), threading.Event()
    process = bench.pipeline.clip_batcher._process

    def slow(batch: list[Any]) -> Any:
        begun.set()
        go_on.wait(30)
        return process(batch)

    monkeypatch.setattr(bench.pipeline.clip_batcher, "_process", slow)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(bench.process, files_of(folder, 1))
        assert begun.wait(30)
        bench.pipeline.cancel(0.05)
        assert isinstance(result.exception(30), CancelledError)
        go_on.set()
    assert bench.failures == {}
    assert bench.rows == {}
