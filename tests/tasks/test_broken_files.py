"""Files that failed by their content are kept by size and time, as long as whoever reads them is the same."""

from dataclasses import replace
from typing import Any, cast

import pytest
import redis

import tasks.broken_files
from settings import load_settings
from tasks.broken_files import BROKEN, BROKEN_TIMES, BrokenFile, BrokenFiles


def broken(number: int = 0) -> BrokenFile:
    return BrokenFile(f"file:///p/{number}.jpg", 100 + number, 10**18 + number, "decode", "the picture is cut off")


def seen(file: BrokenFile) -> tuple[str, int, int]:
    return file.uri, file.bytes, file.mtime


def test_a_file_is_known_while_its_size_and_its_time_stay(client: redis.Redis) -> None:
    files = BrokenFiles(client)
    files.keep([broken(0), broken(1)])
    assert files.unchanged([seen(broken(1)), seen(broken(2)), seen(broken(0))]) == [broken(1), None, broken(0)]
    assert files.unchanged([]) == []


@pytest.mark.parametrize("change", [{"bytes": 99}, {"mtime": 5}])
def test_a_changed_file_is_tried_anew_and_forgotten(client: redis.Redis, change: dict[str, Any]) -> None:
    files = BrokenFiles(client)
    files.keep([broken()])
    assert files.unchanged([seen(replace(broken(), **change))]) == [None]
    assert files.unchanged([seen(broken())]) == [None]
    assert (client.hlen(BROKEN), client.zcard(BROKEN_TIMES)) == (0, 0)


def test_a_release_that_may_read_more_tries_all_again(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    BrokenFiles(client).keep([broken()])
    monkeypatch.setattr(tasks.broken_files, "READERS", "another")
    assert BrokenFiles(client).unchanged([seen(broken())]) == [None]


def test_other_limits_try_all_again(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    BrokenFiles(client).keep([broken()])
    more = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"max_pixels": 10**10})})
    monkeypatch.setattr(tasks.broken_files, "load_settings", lambda: more)
    assert BrokenFiles(client).unchanged([seen(broken())]) == [None]


def test_the_oldest_go_first_where_there_are_too_many(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.broken_files, "MOST", 3)
    files = BrokenFiles(client)
    files.keep([broken(0), broken(1), broken(2)])
    # Kept a while ago, in this order.
    for age, key in enumerate(cast(list[bytes], client.zrange(BROKEN_TIMES, 0, -1))):
        client.zincrby(BROKEN_TIMES, age - 1000, key)
    files.keep([broken(3), broken(4)])
    assert (client.hlen(BROKEN), client.zcard(BROKEN_TIMES)) == (3, 3)
    kept = files.unchanged([seen(broken(number)) for number in range(5)])
    assert kept[3:] == [broken(3), broken(4)]
    assert sum(each is not None for each in kept) == 3


def test_a_file_that_is_let_go_is_tried_again(client: redis.Redis) -> None:
    files = BrokenFiles(client)
    files.keep([broken(0), broken(1)])
    files.forget([broken(0).uri])
    assert files.unchanged([seen(broken(0)), seen(broken(1))]) == [None, broken(1)]


def test_a_full_redis_takes_them_as_well(client: redis.Redis) -> None:
    files = BrokenFiles(client)
    client.config_set("maxmemory", "1")
    try:
        files.keep([broken()])
        assert files.unchanged([seen(broken())]) == [broken()]
    finally:
        client.config_set("maxmemory", "0")
