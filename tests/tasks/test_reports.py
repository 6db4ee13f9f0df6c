"""What workers report for a moment: read of those who live, by their names."""

import redis

from tasks.registry import renew_worker, sign_off
from tasks.reports import LOADING_SECONDS, loading, report_loading, report_speed, speeds


def test_what_is_loaded_is_read_until_it_is_done(client: redis.Redis) -> None:
    assert loading(client) == {}
    for name in ("gpu0", "gpu1"):
        renew_worker(client, name)
    report_loading(client, "gpu1", "loading CLIP 3 s")
    assert loading(client) == {"gpu1": "loading CLIP 3 s"}
    report_loading(client, "gpu1", "")
    assert loading(client) == {}


def test_who_is_killed_says_it_for_some_seconds_only(client: redis.Redis) -> None:
    renew_worker(client, "gpu0")
    report_loading(client, "gpu0", "loading CLIP 3 s")
    (key,) = client.keys("*loading*")
    assert 0 < client.ttl(key) <= LOADING_SECONDS


def test_a_worker_that_has_gone_reports_nothing(client: redis.Redis) -> None:
    renew_worker(client, "gpu0")
    report_speed(client, "gpu0", {"clip": 0.01, "blip": 0.5})
    assert speeds(client) == {"gpu0": {"clip": 0.01, "blip": 0.5}}
    sign_off(client, "gpu0")
    assert speeds(client) == {}
