"""The progress of a job: what counts, and when lost files are published again."""

from collections.abc import Callable

import pytest
import redis

from producer.ingest.job_progress import JobProgress
from producer.ingest.window import Window
from tasks.ledger import Counts, Failure, Ledger
from tasks.messages import Target
from tasks.registry import renew_worker
from tasks.reports import report_loading, report_speed
from tests.producer.clock import Clock
from tests.producer.files import ROOT_URI, take_all

TARGET = Target("pictures", "clip", "blip")


def test_the_counts_hold_everything_that_has_left_the_window(
    progress: JobProgress, window: Window, ledger: Ledger
) -> None:
    ledger.stored([0, 1, 2], [False, True, False])
    ledger.failed([Failure(3, f"{ROOT_URI}/3.png", "read", "the file is empty")])
    ledger.skipped([100])
    progress.look()
    assert progress.counts == Counts(stored=3, failed=1, skipped=1, reused=1)
    assert sorted(window.under_way) == [4, 5, 6, 7, 8, 9]


def test_a_write_between_the_two_readings_is_counted_and_leaves_the_window_later(
    progress: JobProgress, window: Window, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Callable[[], Counts] = ledger.counts

    def counts_after_another_write() -> Counts:
        ledger.stored([5], [False])
        return read()

    monkeypatch.setattr(ledger, "counts", counts_after_another_write)
    progress.look()
    assert progress.counts.stored == 1
    assert len(window.under_way) == 10
    progress.look(at_once=True)
    assert len(window.under_way) == 9


def test_a_redis_that_lost_the_job_is_noticed_and_the_counts_stay_as_they_were(
    progress: JobProgress, window: Window, ledger: Ledger, client: redis.Redis, clock: Clock
) -> None:
    ledger.stored([0, 1, 2], [False] * 3)
    progress.look()
    assert not progress.job_is_lost
    client.flushall()
    ledger.stored([3], [False])  # a worker that still had it in hand
    ledger.computed(1, 0)
    clock.passes(1)
    progress.look()
    assert progress.job_is_lost
    assert progress.counts == Counts(stored=3)


def test_it_reads_at_most_ten_times_a_second_unless_told_to(
    progress: JobProgress, ledger: Ledger, clock: Clock
) -> None:
    progress.look()
    ledger.stored([0], [False])
    clock.passes(0.05)
    progress.look()
    assert progress.counts.stored == 0
    progress.look(at_once=True)
    assert progress.counts.stored == 1


def test_the_first_stored_file_is_noted_once(progress: JobProgress, ledger: Ledger, clock: Clock) -> None:
    progress.look()
    assert progress.first_stored is None
    clock.passes(4)
    ledger.stored([0], [False])
    progress.look()
    first = progress.first_stored
    assert first == clock.now
    clock.passes(4)
    ledger.stored([1], [False])
    progress.look()
    assert progress.first_stored == first


def test_an_empty_window_is_never_stuck(progress: JobProgress, ledger: Ledger, clock: Clock) -> None:
    ledger.stored(list(range(10)), [False] * 10)
    progress.look()
    take_all()
    clock.passes(100)
    progress.look()
    assert progress.reconcile() == 0
    assert progress.what_it_waits_for() is None


def test_what_workers_load_is_told_until_the_first_file_is_done(
    progress: JobProgress, ledger: Ledger, client: redis.Redis, clock: Clock
) -> None:
    for name in ("gpu0", "gpu1"):
        renew_worker(client, name)
        report_loading(client, name, "loading CLIP 3 s")
    assert progress.read_reports(TARGET, 10) == ("loading CLIP 3 s", "")
    ledger.stored([0], [False])
    clock.passes(1)
    progress.look()
    assert progress.read_reports(TARGET, 10) == ("", "")


def test_how_long_it_takes_is_estimated_once_a_worker_has_measured_its_models(
    progress: JobProgress, ledger: Ledger, client: redis.Redis, clock: Clock
) -> None:
    ledger.stored([0], [False])
    progress.look()
    assert progress.read_reports(TARGET, 40_001) == ("", "")
    renew_worker(client, "gpu0")
    report_speed(client, "gpu0", {"clip": 0.075, "blip": 0.735})
    clock.passes(1)
    _, first = progress.read_reports(TARGET, 40_001)
    assert first.startswith("About 9 h with captions, 50 min without.")
    report_speed(client, "gpu0", {"clip": 0.075, "blip": 1.5})
    clock.passes(1)
    assert progress.read_reports(TARGET, 40_001) == ("", first)
