"""The sign of life of a job's producer."""

import redis

from producer.jobs.lease import JobLease
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
    ledger.hold(1)
    assert ledger.is_held()
    until(lambda: not ledger.is_held(), "the lease to run out")
