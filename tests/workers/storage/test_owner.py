"""One owner a collection: who gets the lease, who waits for it, and who is refused in which words."""

import json
from pathlib import Path

import pytest
import redis

from settings.errors import ServiceMissing
from tests.until import until
from workers.storage import owner as module
from workers.storage.owner import Owner, Ownership, catalog_id, owner_key

HERE = Owner("id-of-a", "a:/data/catalog/pictures", "storage@a")
REFUSAL = (
    r"^The collection pictures is in the embedded catalog of the worker storage@a \(/data/catalog/pictures on a\), and "
    r"one Redis takes only one such catalog: run `python -m workers gpu` here to work for that one, name another "
    r"qdrant\.collection, or set qdrant\.url to a server on all machines\.$"
)


def owner_now(client: redis.Redis) -> str:
    held = client.get(owner_key("pictures"))
    return json.loads(held)["token"] if isinstance(held, bytes) else ""


def killed(client: redis.Redis, owner: Owner) -> None:
    """An owner that has taken the lease and can neither renew nor release it."""
    assert Ownership(client, "pictures", owner)._take() is None


def test_the_owner_of_a_collection_has_it_until_it_releases_it(client: redis.Redis) -> None:
    ownership = Ownership(client, "pictures", HERE)
    ownership.take()
    assert owner_now(client) == HERE.token
    assert 0 < client.ttl(owner_key("pictures")) <= module.LEASE_SECONDS
    ownership.release()
    assert owner_now(client) == ""


def test_another_catalog_is_refused_and_told_who_the_owner_is(client: redis.Redis) -> None:
    killed(client, HERE)
    with pytest.raises(ServiceMissing, match=REFUSAL):
        Ownership(client, "pictures", Owner("id-of-b", "b:/data/catalog/pictures", "storage@b")).take()
    assert owner_now(client) == HERE.token


def test_another_collection_has_an_owner_of_its_own(client: redis.Redis) -> None:
    killed(client, HERE)
    other = Ownership(client, "cats", Owner("id-of-b", "b:/data/catalog/cats", "storage@b"))
    other.take()
    other.release()


def test_the_same_catalog_starts_at_once_after_its_worker_was_killed(client: redis.Redis) -> None:
    killed(client, HERE)
    again = Owner(HERE.catalog, HERE.place, HERE.worker)
    ownership = Ownership(client, "pictures", again)
    ownership.take()
    assert owner_now(client) == again.token != HERE.token
    ownership.release()


def test_the_same_catalog_on_another_host_waits_for_the_lease_of_the_one_that_was_killed(client: redis.Redis) -> None:
    killed(client, HERE)
    client.pexpire(owner_key("pictures"), 700)
    moved = Owner(HERE.catalog, "pod-5:/data/catalog/pictures", "storage@pod-5")
    ownership = Ownership(client, "pictures", moved)
    ownership.take()
    assert owner_now(client) == moved.token
    ownership.release()


class Waiting:
    """The time as one sees it who waits for a lease: it passes by his waiting alone, and so does the lease."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        half = module.LEASE_SECONDS // 2
        self._client.expire(owner_key("pictures"), half)
        until(lambda: self._client.ttl(owner_key("pictures")) > half, "the lease to be renewed")


def test_a_copy_of_a_catalog_is_refused_while_the_other_one_lives(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the real time, so much that a machine that stands still does not end the lease.
    monkeypatch.setattr(module, "LEASE_SECONDS", 120)
    monkeypatch.setattr(module, "STEP_SECONDS", 20.0)
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(module, "time", Waiting(client))
    ownership = Ownership(client, "pictures", HERE)
    ownership.take()
    with pytest.raises(ServiceMissing, match=REFUSAL):
        Ownership(client, "pictures", Owner(HERE.catalog, "b:/copy/catalog/pictures", "storage@b")).take()
    ownership.release()


def test_a_redis_that_has_lost_its_data_hears_of_the_owner_again(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.05)
    ownership = Ownership(client, "pictures", HERE)
    ownership.take()
    client.flushall()
    until(lambda: owner_now(client) == HERE.token, "the lease to be taken again")
    ownership.release()


def test_a_full_redis_does_not_take_the_collection_from_its_owner(client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)
    try:
        killed(client, HERE)
        killed(client, HERE)
    finally:
        client.config_set("maxmemory", 0)
    assert owner_now(client) == HERE.token


def test_the_id_of_a_catalog_stays(tmp_path: Path) -> None:
    first = catalog_id(tmp_path, "pictures")
    assert first
    assert catalog_id(tmp_path, "pictures") == first != catalog_id(tmp_path, "cats")
