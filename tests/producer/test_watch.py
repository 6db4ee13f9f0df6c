"""Watching a job: what counts, when lost files are published again, and the sentence of a job that stands still."""

from collections.abc import Callable

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import producer.watch
from producer.watch import NOWHERE_SECONDS, QUIET_SECONDS, STUCK_SECONDS, UNACKED, Watch
from producer.window import Window
from tasks.app import app
from tasks.ledger import Counts, Failure, Ledger
from tasks.presence import announce, report_fault
from tasks.queues import FILES, POINTS
from tests.producer.clock import Clock
from tests.producer.files import ROOT_URI, numbered, take_all


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as the watch sees it."""
    return Clock(monkeypatch, producer.watch)


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    """The ledger of a job of ten files."""
    return Ledger(client, "job")


@pytest.fixture
def window(ledger: Ledger) -> Window:
    """Ten files under way, their messages in the queue."""
    window = Window(app, ledger, ROOT_URI, 10, 1)
    window.enqueue(numbered(*range(10)))
    return window


@pytest.fixture
def watch(client: redis.Redis, ledger: Ledger, window: Window, clock: Clock) -> Watch:
    """A watch on a cluster."""
    return Watch(client, ledger, window, local=False)


def published_within(watch: Watch, clock: Clock, seconds: float) -> int:
    """Let time pass as an ingest does, looking and reconciling ten times a second."""
    total = 0
    for _ in range(round(seconds * 10)):
        clock.passes(0.1)
        watch.look()
        total += watch.reconcile()
    return total


def test_the_counts_hold_everything_that_has_left_the_window(watch: Watch, window: Window, ledger: Ledger) -> None:
    ledger.stored([0, 1, 2], [False, True, False])
    ledger.failed([Failure(3, f"{ROOT_URI}/3.png", "read", "the file is empty")])
    ledger.skipped([100])
    watch.look()
    assert watch.counts == Counts(stored=3, failed=1, skipped=1, reused=1)
    assert sorted(window.under_way) == [4, 5, 6, 7, 8, 9]


def test_a_write_between_the_two_readings_is_counted_and_leaves_the_window_later(
    watch: Watch, window: Window, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Callable[[], Counts] = ledger.counts

    def counts_after_another_write() -> Counts:
        ledger.stored([5], [False])
        return read()

    monkeypatch.setattr(ledger, "counts", counts_after_another_write)
    watch.look()
    assert watch.counts.stored == 1
    assert len(window.under_way) == 10
    watch.look(at_once=True)
    assert len(window.under_way) == 9


def test_it_reads_at_most_ten_times_a_second_unless_told_to(watch: Watch, ledger: Ledger, clock: Clock) -> None:
    watch.look()
    ledger.stored([0], [False])
    clock.passes(0.05)
    watch.look()
    assert watch.counts.stored == 0
    watch.look(at_once=True)
    assert watch.counts.stored == 1


def test_the_first_stored_file_is_noted_once(watch: Watch, ledger: Ledger, clock: Clock) -> None:
    watch.look()
    assert watch.first_stored is None
    clock.passes(4)
    ledger.stored([0], [False])
    watch.look()
    first = watch.first_stored
    assert first == clock.now
    clock.passes(4)
    ledger.stored([1], [False])
    watch.look()
    assert watch.first_stored == first


def test_lost_files_are_published_again_once_nothing_was_anywhere_for_a_while(watch: Watch, clock: Clock) -> None:
    take_all()
    assert published_within(watch, clock, QUIET_SECONDS + NOWHERE_SECONDS - 1) == 0
    assert published_within(watch, clock, 2) == 10
    assert sorted(taken.numbers[0] for taken in take_all()) == list(range(10))


def test_only_the_missing_ones_are_published_again(watch: Watch, ledger: Ledger, clock: Clock) -> None:
    take_all()
    ledger.stored([0, 1, 2, 3, 4, 5, 6], [False] * 7)
    assert published_within(watch, clock, QUIET_SECONDS + NOWHERE_SECONDS + 2) == 3
    assert sorted(taken.numbers[0] for taken in take_all()) == [7, 8, 9]


@pytest.mark.parametrize("where", [FILES, POINTS, UNACKED])
def test_while_one_message_is_queued_or_in_work_nothing_is_published_again(
    watch: Watch, client: redis.Redis, clock: Clock, where: str
) -> None:
    take_all()
    if where == UNACKED:
        client.hset(UNACKED, "tag", "a message")
    else:
        client.lpush(where, "a message")
    assert published_within(watch, clock, 10 * (QUIET_SECONDS + NOWHERE_SECONDS)) == 0
    client.delete(where)
    assert published_within(watch, clock, NOWHERE_SECONDS - 1) == 0
    assert published_within(watch, clock, 2) == 10


def test_a_message_that_shows_up_in_between_starts_the_wait_anew(
    watch: Watch, client: redis.Redis, clock: Clock
) -> None:
    take_all()
    published_within(watch, clock, QUIET_SECONDS + NOWHERE_SECONDS - 1)
    client.hset(UNACKED, "tag", "a message")
    published_within(watch, clock, 1)
    client.delete(UNACKED)
    assert published_within(watch, clock, NOWHERE_SECONDS - 1) == 0


def test_a_job_that_moves_publishes_nothing_again(watch: Watch, ledger: Ledger, clock: Clock) -> None:
    take_all()
    for number in range(9):
        ledger.stored([number], [False])
        assert published_within(watch, clock, QUIET_SECONDS - 1) == 0


def test_an_empty_window_is_never_stuck(watch: Watch, ledger: Ledger, clock: Clock) -> None:
    ledger.stored(list(range(10)), [False] * 10)
    watch.look()
    take_all()
    assert published_within(watch, clock, 100) == 0
    assert watch.what_it_waits_for() is None


def test_what_was_published_again_and_lost_again_is_published_once_more(watch: Watch, clock: Clock) -> None:
    for _ in range(2):
        take_all()
        assert published_within(watch, clock, QUIET_SECONDS + NOWHERE_SECONDS + 1) == 10


def test_a_job_that_moves_waits_for_nothing(watch: Watch, clock: Clock) -> None:
    watch.look()
    clock.passes(STUCK_SECONDS - 1)
    assert watch.what_it_waits_for() is None


def test_without_a_gpu_worker_it_says_how_to_start_one(watch: Watch, clock: Clock) -> None:
    clock.passes(STUCK_SECONDS + 1)
    sentence = "10 messages wait in `files` and no GPU worker is up: start `python -m workers gpu`"
    assert watch.what_it_waits_for() == sentence


def test_on_the_local_stack_a_gpu_worker_that_is_not_up_yet_loads_its_models(
    client: redis.Redis, ledger: Ledger, window: Window, clock: Clock
) -> None:
    watch = Watch(client, ledger, window, local=True)
    clock.passes(STUCK_SECONDS + 1)
    assert watch.what_it_waits_for() == "the GPU worker is loading its models"


def test_without_a_storage_worker_it_says_how_to_start_one(watch: Watch, client: redis.Redis, clock: Clock) -> None:
    take_all()
    client.lpush(POINTS, "a batch", "another")
    clock.passes(STUCK_SECONDS + 1)
    sentence = "2 messages wait in `points`, no storage worker is up: start `python -m workers storage`"
    assert watch.what_it_waits_for() == sentence


def test_a_fault_is_told_in_the_words_of_the_worker(watch: Watch, client: redis.Redis, clock: Clock) -> None:
    report_fault(client, "storage", "Qdrant at http://q:6333 does not answer.")
    report_fault(client, "gpu0", "The GPU has no memory left.")
    clock.passes(STUCK_SECONDS + 1)
    sentence = "gpu0: The GPU has no memory left.; storage: Qdrant at http://q:6333 does not answer."
    assert watch.what_it_waits_for() == sentence


def test_with_all_workers_up_it_says_where_the_files_are(watch: Watch, client: redis.Redis, clock: Clock) -> None:
    announce(client, "gpu0")
    announce(client, "storage")
    client.hset(UNACKED, mapping={"a": "message", "b": "message"})
    clock.passes(STUCK_SECONDS + 5)
    assert watch.what_it_waits_for() == "nothing finished for 25 s (10 queued, 2 in work, 0 to be written)"


def test_a_broker_that_is_away_is_noted_said_and_forgotten_when_it_is_back(
    redis_process: str, client: redis.Redis, clock: Clock
) -> None:
    impatient = redis.Redis.from_url(redis_process, retry=Retry(NoBackoff(), 0))
    ledger = Ledger(impatient, "job")
    watch = Watch(impatient, ledger, Window(app, ledger, ROOT_URI, 10, 1), local=False)
    pool = impatient.connection_pool
    socket = pool.connection_kwargs["path"]

    def connects_to(path: str) -> None:
        pool.connection_kwargs["path"] = path
        pool.disconnect()
        pool.reset()

    watch.look()
    connects_to(f"{socket}.gone")
    clock.passes(1)
    watch.look()
    clock.passes(7)
    watch.look()
    assert watch.what_it_waits_for() == "Redis does not answer since 7 s; waiting for it"
    connects_to(socket)
    clock.passes(1)
    watch.look()
    assert watch.broker_away_since is None
    assert watch.what_it_waits_for() is None
