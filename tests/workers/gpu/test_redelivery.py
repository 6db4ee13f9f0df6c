"""Files that come a second time: their last worker may have died of them."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import workers.gpu.pipeline
from tests.until import until
from tests.workers.gpu.bench import BATCH, Open, files_of


def test_a_redelivered_file_that_is_done_is_dropped(bench: Open, folder: Path) -> None:
    own = bench()
    files = files_of(folder, 4)
    own.ledger.stored([files[1].number], [False])
    own.ledger.skipped([files[2].number])
    own.process(files, redelivered=True)
    assert set(own.rows) == {files[0].number, files[3].number}
    assert own.failures == {}


def test_a_file_that_took_its_workers_down_is_failed_and_its_neighbours_go_through(bench: Open, folder: Path) -> None:
    own = bench()
    files = files_of(folder, 3)
    limit = own.settings.ingest.max_attempts
    for _ in range(limit - 1):  # the first delivery, which leaves no note, was one more
        own.ledger.count_attempt(files[1].number)
    own.process(files, redelivered=True)
    assert own.failures == {files[1].number: f"its worker died while working on it, {limit} times over"}
    assert set(own.rows) == {files[0].number, files[2].number}


def test_a_file_noted_less_often_is_tried_again_and_living_through_it_adds_no_note(bench: Open, folder: Path) -> None:
    own = bench()
    (item,) = files_of(folder, 1)
    notes = own.settings.ingest.max_attempts - 2
    for _ in range(notes):
        own.ledger.count_attempt(item.number)
    own.process([item], redelivered=True)
    assert set(own.rows) == {item.number}
    assert own.ledger.count_attempt(item.number) == notes + 1


def test_a_first_delivery_leaves_no_note(bench: Open, folder: Path) -> None:
    own = bench()
    (item,) = files_of(folder, 1)
    own.process([item])
    assert own.ledger.count_attempt(item.number) == 1


@pytest.mark.parametrize("where", ["clip", "blip", "decode"])
def test_a_redelivered_file_stays_noted_while_it_is_loaded_and_computed(
    bench: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    own = bench(captions=True)
    (item,) = files_of(folder, 1)
    noted: list[int] = []

    def looking(work: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any) -> Any:
            noted.append(own.ledger.attempts([item.number])[item.number])
            return work(*arguments)

        return look

    assert own.pipeline.blip_batcher is not None
    place, name = {
        "clip": (own.pipeline.clip_batcher, "_process"),
        "blip": (own.pipeline.blip_batcher, "_process"),
        "decode": (workers.gpu.pipeline, "decode"),
    }[where]
    monkeypatch.setattr(place, name, looking(getattr(place, name)))
    own.process([item], redelivered=True)
    assert noted == [1]
    assert own.ledger.attempts([item.number]) == {item.number: 0}
    assert set(own.rows) == {item.number}


def test_redelivered_files_of_one_message_are_computed_one_at_a_time(bench: Open, folder: Path) -> None:
    own = bench()
    files = files_of(folder, 3)
    own.process(files, redelivered=True)
    assert set(own.rows) == {item.number for item in files}
    assert (own.pipeline.clip_batcher.batches, own.pipeline.clip_batcher.items) == (3, 3)


def test_a_worker_that_was_killed_by_chance_blames_nobody_until_the_third_death(bench: Open, folder: Path) -> None:
    own = bench()
    (item,) = files_of(folder, 1)
    assert own.settings.ingest.max_attempts == 3
    own.ledger.count_attempt(item.number)  # the second death, the first one while the file was alone
    own.process([item], redelivered=True)
    assert set(own.rows) == {item.number}
    own.ledger.count_attempt(item.number)
    own.process([item], redelivered=True)
    assert own.failures == {item.number: "its worker died while working on it, 3 times over"}


def test_a_worker_that_is_to_leave_hands_back_what_no_model_holds(
    bench: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = bench()
    files = files_of(folder, 12)
    begun, go_on = threading.Event(), threading.Event()
    process = own.pipeline.clip_batcher._process

    def slow(batch: list[Any]) -> Any:
        begun.set()
        go_on.wait(30)
        return process(batch)

    monkeypatch.setattr(own.pipeline.clip_batcher, "_process", slow)
    with ThreadPoolExecutor(12) as pool:
        under_way = [pool.submit(own.process, [item]) for item in files]
        assert begun.wait(30)
        until(lambda: own.pipeline.clip_batcher._waiting.qsize(), "more to wait than the model holds")
        own.pipeline.hand_back(30)
        go_on.set()
        errors = [each.exception(30) for each in under_way]
    stored = {item.number for item, error in zip(files, errors, strict=True) if error is None}
    assert stored == set(own.rows)
    assert 1 <= len(stored) <= BATCH
    assert {type(error) for error in errors if error} == {CancelledError}
    assert own.failures == {}


def test_a_worker_that_is_to_leave_does_not_wait_for_a_model_that_takes_too_long(
    bench: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = bench()
    begun, go_on = threading.Event(), threading.Event()
    process = own.pipeline.clip_batcher._process

    def slow(batch: list[Any]) -> Any:
        begun.set()
        go_on.wait(30)
        return process(batch)

    monkeypatch.setattr(own.pipeline.clip_batcher, "_process", slow)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(own.process, files_of(folder, 1))
        assert begun.wait(30)
        own.pipeline.hand_back(0.05)
        assert isinstance(under_way.exception(30), CancelledError)
        go_on.set()
    assert own.failures == {}
    assert own.rows == {}
