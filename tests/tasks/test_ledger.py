"""The ledger: one bit a file and outcome, safe to count twice."""

import re
import time
from dataclasses import replace

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settings.redis_errors import REFUSALS, refusal
from tasks.ledger import JOBS, KEEP_SECONDS, Counts, Failure, Ledger, jobs, new_job_id
from tasks.outcomes import MOST_REASONS, OTHER_REASONS


def a_failure(number: int, reason: str = "the file is empty") -> Failure:
    return Failure(number, f"file:///p/{number}.jpg", "read", reason)


def test_a_write_that_is_told_twice_counts_once(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///p")
    for _ in range(2):
        ledger.stored([0, 1, 5], [False, True, False])
        ledger.failed([a_failure(2)])
        ledger.skipped([3, 4])
    assert ledger.counts() == Counts(stored=3, failed=1, skipped=2, reused=1)
    assert ledger.counts().finished == 6


def test_a_confirmed_write_wins_over_a_failure_in_either_order(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.failed([a_failure(0), a_failure(1)])
    ledger.stored([0], [False])
    ledger.stored([2], [False])
    ledger.failed([a_failure(2)])
    assert ledger.counts() == Counts(stored=2, failed=1)
    assert [failure.number for failure in ledger.failures()] == [1]


def test_failures_keep_name_stage_and_reason_in_the_order_of_the_files(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.failed([a_failure(12, "cut off"), a_failure(3, "größer als erlaubt\nzwei Zeilen")])
    assert ledger.failures() == [a_failure(3, "größer als erlaubt\nzwei Zeilen"), a_failure(12, "cut off")]
    assert ledger.failures(limit=1) == [a_failure(3, "größer als erlaubt\nzwei Zeilen")]


def test_a_file_that_is_still_broken_is_skipped_and_keeps_its_reason(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.failed([a_failure(2)])
    for _ in range(2):
        ledger.skipped([0], [a_failure(1, "cut off"), a_failure(9000, "cut off")])
    assert ledger.counts() == Counts(failed=1, skipped=3, still_broken=2)
    assert (ledger.counts().finished, ledger.counts().unchanged) == (4, 1)
    assert ledger.failures() == [a_failure(2)]
    still_broken = [replace(a_failure(number, "cut off"), still_broken=True) for number in (1, 9000)]
    assert list(ledger.unreadable()) == [still_broken[0], a_failure(2), still_broken[1]]
    ledger.forget()
    assert client.keys("darkroom:job:job:*") == []


def test_done_names_exactly_the_finished_ones_of_a_window(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.stored([7, 1000], [False, False])
    ledger.failed([a_failure(1003)])
    ledger.skipped([8])
    assert ledger.done([6, 7, 8, 9, 999, 1000, 1001, 1003, 5000]) == {7, 8, 1000, 1003}
    assert ledger.done([]) == set()


def test_jobs_are_listed_newest_first_and_keep_their_facts(client: redis.Redis) -> None:
    for number, name in enumerate(("first", "second")):
        Ledger(client, name).open(f"file:///{number}", collection="pictures")
        client.zadd("darkroom:jobs", {name: 2e9 + number})
    assert jobs(client) == ["second", "first"]
    ledger = Ledger(client, "second")
    ledger.note(total=12, state="done")
    assert ledger.meta()["root"] == "file:///1"
    assert ledger.meta()["total"] == "12"
    assert Ledger(client, "nobody").meta() == {}


def test_ten_million_files_take_little_more_than_a_bit_each(client: redis.Redis) -> None:
    ledger = Ledger(client, "large")
    ledger.stored([10_000_000], [False])
    size = client.memory_usage(ledger.key("stored"))
    assert size is not None
    assert size < 2_100_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["stored", "failed"])), max_size=80))
def test_in_any_order_of_deliveries_every_file_stands_in_one_bitmap(
    client: redis.Redis, events: list[tuple[int, str]]
) -> None:
    client.flushall()
    ledger = Ledger(client, "job")
    for number, outcome in events:
        if outcome == "stored":
            ledger.stored([number], [False])
        else:
            ledger.failed([a_failure(number)])
    stored = {number for number, outcome in events if outcome == "stored"}
    failed = {number for number, outcome in events} - stored
    assert ledger.counts() == Counts(stored=len(stored), failed=len(failed))
    assert {failure.number for failure in ledger.failures()} == failed


def test_a_bitmap_tells_the_outcome_of_each_number(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    assert ledger.bitmap("stored") == b""
    ledger.stored([0, 9], [False, True])
    assert ledger.bitmap("stored") == bytes([0b10000000, 0b01000000])
    assert ledger.bitmap("reused") == bytes([0, 0b01000000])


def test_forward_passes_add_up(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///p")
    ledger.computed(3, 0)
    ledger.computed(2, 4)
    assert (ledger.meta()["embedded"], ledger.meta()["captioned"]) == ("5", "4")


def test_a_forgotten_job_leaves_nothing(client: redis.Redis) -> None:
    before = set(client.keys())
    for name in ("job", "other"):
        ledger = Ledger(client, name)
        ledger.open("file:///p")
        ledger.stored([0], [True])
        ledger.failed([a_failure(1)])
        ledger.skipped([2])
        ledger.count_attempt(3)
    ledger.forget()
    assert jobs(client) == ["job"]
    assert not [key for key in set(client.keys()) - before if b"other" in key]


def test_a_job_whose_facts_have_expired_is_not_listed(client: redis.Redis) -> None:
    Ledger(client, "young").open("file:///p")
    client.zadd(JOBS, {"old": time.time() - KEEP_SECONDS - 1})
    assert jobs(client) == ["young"]


def test_a_reason_is_kept_once_and_ten_million_failures_take_a_few_bytes_each(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///p")
    count = 200_000
    for start in range(0, count, 10_000):
        ledger.failed(a_failure(number) for number in range(start, start + 10_000))
    used = sum(client.memory_usage(key) or 0 for key in client.keys("darkroom:job:job:*"))
    # The URIs of the first ones are bounded by their number, so what is left grows with the files.
    uris = client.memory_usage(ledger.key("uris")) or 0
    assert (used - uris) * (10_000_000 / count) + uris < 100e6
    assert ledger.counts().failed == count
    assert [failure.number for failure in ledger.failures(20)] == list(range(20))
    page = ledger.failures(3, after=count - 3)
    assert [(failure.number, failure.uri, failure.reason) for failure in page] == [
        (count - 2, "", "the file is empty"),
        (count - 1, "", "the file is empty"),
    ]


def test_the_first_failures_are_read_without_the_others(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    for start in range(0, 100_000, 10_000):
        ledger.failed(a_failure(number) for number in range(start, start + 10_000))
    before = client.info("stats")["total_net_output_bytes"]
    assert len(ledger.failures(20)) == 20
    assert client.info("stats")["total_net_output_bytes"] - before < 100_000


def test_more_reasons_than_are_kept_are_said_to_be_too_many(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.failed(a_failure(number, f"reason {number}") for number in range(MOST_REASONS + 5))
    failures = ledger.failures()
    assert [failure.reason for failure in failures[:2]] == ["reason 0", "reason 1"]
    assert {failure.reason for failure in failures[MOST_REASONS:]} == {OTHER_REASONS[1]}


def test_a_name_of_a_job_is_given_once(client: redis.Redis) -> None:
    first, second = Ledger(client, "job"), Ledger(client, "job")
    assert first.open("file:///p")
    assert first.open("file:///p"), "an answer that was lost is asked for again"
    assert not second.open("file:///q")
    assert first.meta()["root"] == "file:///p"


def test_names_of_jobs_tell_the_time_everywhere_alike_and_have_eight_random_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        now = time.strftime("%Y%m%d-%H", time.gmtime())
        assert re.fullmatch(rf"{now}\d{{4}}-[0-9a-f]{{8}}", new_job_id())
    finally:
        monkeypatch.undo()
        time.tzset()


def test_one_straggler_does_not_make_the_window_read_all_bitmaps(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.stored([5, 9_999_999], [False, False])
    before = client.info("stats")["total_net_output_bytes"]
    assert ledger.done([4, 5, 9_999_998, 9_999_999]) == {5, 9_999_999}
    assert client.info("stats")["total_net_output_bytes"] - before < 100_000


def test_files_without_an_end_are_found(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.stored([0, 3], [False, False])
    ledger.failed([a_failure(1)])
    ledger.skipped([6])
    assert list(ledger.without_end(8)) == [2, 4, 5, 7]


def test_whatever_is_counted_keeps_the_whole_job_for_thirty_days_more(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///p")
    ledger.failed([a_failure(20_000)])

    def almost_over() -> None:
        for key in client.keys("darkroom:job:job:*"):
            client.expire(key, 60)

    for count in (
        lambda: ledger.stored([1], [True]),
        lambda: ledger.failed([a_failure(20_001)]),
        lambda: ledger.skipped([2]),
        lambda: ledger.skipped([], [a_failure(30_000)]),
        lambda: ledger.computed(1, 1),
        lambda: ledger.count_attempt(3),
    ):
        almost_over()
        count()
        assert all(client.ttl(ledger.key(part)) > KEEP_SECONDS - 60 for part in ("meta", "failed", "uris", "reasons"))
    almost_over()
    ledger.note(state="done")
    assert all(client.ttl(key) > KEEP_SECONDS - 60 for key in client.keys("darkroom:job:job:*"))


def test_a_job_that_takes_longer_than_it_is_kept_stays_on_the_list(client: redis.Redis) -> None:
    Ledger(client, "long").open("file:///p")
    client.zadd(JOBS, {"long": time.time() - KEEP_SECONDS - 1, "forgotten": time.time() - KEEP_SECONDS - 1})
    Ledger(client, "young").open("file:///p")
    assert jobs(client) == ["young", "long"]
    assert client.zscore(JOBS, "forgotten") is None


def test_nothing_is_noted_about_a_job_that_redis_has_forgotten(client: redis.Redis) -> None:
    ledger = Ledger(client, "gone")
    ledger.note(state="done")
    ledger.computed(3, 3)
    ledger.forget_attempt(1)
    assert client.keys("darkroom:job:gone:*") == []


def test_a_full_redis_takes_what_is_counted_and_no_new_job(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///p")
    client.config_set("maxmemory", "1")
    try:
        ledger.stored([0, 1], [True, False])
        ledger.failed([a_failure(2)])
        ledger.skipped([3], [a_failure(4)])
        ledger.computed(2, 1)
        ledger.note(total=5)
        ledger.hold(15)
        assert ledger.is_held()
        assert ledger.count_attempt(5) == 1
        ledger.forget_attempt(5)
        assert ledger.counts() == Counts(stored=2, failed=1, skipped=2, reused=1, still_broken=1)
        with pytest.raises(redis.ResponseError) as caught:
            Ledger(client, "another").open("file:///q")
        assert refusal(caught.value) == REFUSALS["OOM"]
        assert client.keys("darkroom:job:another:*") == []
        ledger.forget()
        assert client.keys("darkroom:job:job:*") == [b"darkroom:job:job:producer"]
    finally:
        client.config_set("maxmemory", "0")
