"""The progress of a job: what counts, and when lost files are published again."""

from collections.abc import Callable

import pytest
import redis

from producer.ingest.job_progress import JobProgress
from producer.ingest.reconcile import NOWHERE_SECONDS, QUIET_SECONDS, UNACKED
from producer.ingest.window import Window
from tasks.ledger import Counts, Failure, Ledger
from tasks.queues import FILES, POINTS
from tests.producer.clock import Clock
from tests.producer.files import ROOT_URI, take_all


def published_within(progress: JobProgress, clock: Clock, seconds: float) -> int:
    """Let time pass as an ingest does, looking and reconciling ten times a second."""
    total = 0
    for _ in range(round(seconds * 10)):
        clock.passes(0.1)
        progress.look()
        total += progress.reconcile()
    return total


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


def test_lost_files_are_published_again_once_nothing_was_anywhere_for_a_while(
    progress: JobProgress, clock: Clock
) -> None:
    take_all()
    assert published_within(progress, clock, QUIET_SECONDS + NOWHERE_SECONDS - 1) == 0
    assert published_within(progress, clock, 2) == 10
    assert sorted(taken.numbers[0] for taken in take_all()) == list(range(10))


def test_only_the_missing_ones_are_published_again(progress: JobProgress, ledger: Ledger, clock: Clock) -> None:
    take_all()
    ledger.stored([0, 1, 2, 3, 4, 5, 6], [False] * 7)
    assert published_within(progress, clock, QUIET_SECONDS + NOWHERE_SECONDS + 2) == 3
    assert sorted(taken.numbers[0] for taken in take_all()) == [7, 8, 9]


@pytest.mark.parametrize("where", [FILES, POINTS, UNACKED])
def test_while_one_message_is_queued_or_in_work_nothing_is_published_again(
    progress: JobProgress, client: redis.Redis, clock: Clock, where: str
) -> None:
    take_all()
    if where == UNACKED:
        client.hset(UNACKED, "tag", "a message")
    else:
        client.lpush(where, "a message")
    assert published_within(progress, clock, 10 * (QUIET_SECONDS + NOWHERE_SECONDS)) == 0
    client.delete(where)
    assert published_within(progress, clock, NOWHERE_SECONDS - 1) == 0
    assert published_within(progress, clock, 2) == 10


def test_a_message_that_shows_up_in_between_starts_the_wait_anew(
    progress: JobProgress, client: redis.Redis, clock: Clock
) -> None:
    take_all()
    published_within(progress, clock, QUIET_SECONDS + NOWHERE_SECONDS - 1)
    client.hset(UNACKED, "tag", "a message")
    published_within(progress, clock, 1)
    client.delete(UNACKED)
    assert published_within(progress, clock, NOWHERE_SECONDS - 1) == 0


def test_a_job_that_moves_publishes_nothing_again(progress: JobProgress, ledger: Ledger, clock: Clock) -> None:
    take_all()
    for number in range(9):
        ledger.stored([number], [False])
        assert published_within(progress, clock, QUIET_SECONDS - 1) == 0


def test_an_empty_window_is_never_stuck(progress: JobProgress, ledger: Ledger, clock: Clock) -> None:
    ledger.stored(list(range(10)), [False] * 10)
    progress.look()
    take_all()
    assert published_within(progress, clock, 100) == 0
    assert progress.what_it_waits_for() is None


def test_what_was_published_again_and_lost_again_is_published_once_more(progress: JobProgress, clock: Clock) -> None:
    for _ in range(2):
        take_all()
        assert published_within(progress, clock, QUIET_SECONDS + NOWHERE_SECONDS + 1) == 10
