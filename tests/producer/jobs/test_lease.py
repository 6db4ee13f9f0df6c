"""The sign of life of a job's producer."""

import threading

import redis

from producer.ingest.open_ledger import open_ledger
from producer.jobs.lease import LEASE_SECONDS, JobLease, is_left
from producer.jobs.view import job_status
from producer.stack import Stack
from settings import load_settings
from tasks.ledger import Ledger
from tests.until import until


def test_a_job_is_held_while_its_producer_lives_and_released_at_once_when_it_ends(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    with JobLease(ledger):
        until(ledger.is_held, "the lease")
        assert 0 < client.ttl(ledger.key("producer")) <= 15
    assert not ledger.is_held()


def test_the_lease_is_renewed_for_as_long_as_it_takes(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    with JobLease(ledger, seconds=1):
        until(ledger.is_held, "the lease")
        client.delete(ledger.key("producer"))
        until(ledger.is_held, "the lease to be renewed")


def test_a_killed_producer_lets_it_run_out(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.hold(60)
    assert ledger.is_held()
    ledger.hold(1)
    until(lambda: not ledger.is_held(), "the lease to run out")


def test_a_job_that_ends_while_its_lease_is_renewed_is_released_as_well(client: redis.Redis) -> None:
    renewing = threading.Event()

    class SlowLedger(Ledger):
        def hold(self, seconds: int) -> None:
            renewing.set()
            assert lease._ended.wait(60)
            super().hold(seconds)

    ledger = SlowLedger(client, "job")
    lease = JobLease(ledger)
    with lease:
        assert renewing.wait(60)
    assert not ledger.is_held()


def test_a_job_is_held_from_its_first_moment_so_nobody_takes_it_for_one_that_was_left(client: redis.Redis) -> None:
    ledger = open_ledger(client, ["file:///p"], ["/p"], Stack(load_settings()), print)
    assert job_status(client, ledger.job).state == "running"
    assert 0 < client.ttl(ledger.key("producer")) <= LEASE_SECONDS


def test_a_job_that_was_killed_a_moment_ago_is_told_from_one_that_goes_on(client: redis.Redis) -> None:
    killed, goes_on = Ledger(client, "killed"), Ledger(client, "goes-on")
    killed.hold(1)
    assert is_left(killed)
    # Renewed every three seconds, and held by a machine that stands still for some.
    with JobLease(goes_on, seconds=9):
        until(goes_on.is_held, "the lease")
        assert not is_left(goes_on)
