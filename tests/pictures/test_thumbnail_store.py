"""Small pictures are kept by content, in a folder or a bucket, within a bound, and a store that fails costs none."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pictures.thumbnail_store import SHARDS, ThumbnailStore, kept_here
from tests.e2e.conftest import free_port
from tests.object_store import s3_server
from tests.pictures.thumbnail_settings import settings_in
from tests.until import until

ONE = 10_000


def hashed(number: int) -> str:
    """A content of the shard aa."""
    return f"aa{number:062x}"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3"), free_port()) as made, pytest.MonkeyPatch.context() as environment:
        for name, value in made.env.items():
            environment.setenv(name, value)
        yield f"s3://{made.name}/thumbnails"


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "volume") if request.param == "folder" else str(request.getfixturevalue("bucket"))


def test_a_picture_is_kept_for_everybody_who_knows_its_content(tmp_path: Path, place: str) -> None:
    one, other = (ThumbnailStore(settings_in(tmp_path / name, place=place)) for name in "ab")
    assert one.get(hashed(1), 256) is None
    one.put(hashed(1), 256, b"small")
    until(lambda: other.get(hashed(1), 256) == b"small", "the picture to be kept")
    assert other.get(hashed(1), 1440) is None
    assert other.get(hashed(2), 256) is None


def test_a_place_stays_within_its_bound_whoever_writes(tmp_path: Path, place: str) -> None:
    most = 5 * ONE
    stores = [ThumbnailStore(settings_in(tmp_path, place=place, bytes=most * SHARDS)) for _ in "ab"]
    for number in range(40):
        store = stores[number % 2]
        store.put(hashed(number), 256, bytes(ONE))
        until(partial(store.get, hashed(number), 256), "the picture to be kept")
    kept = [number for number in range(40) if stores[0].get(hashed(number), 256)]
    # Each process may write a little before it looks again.
    assert 3 <= len(kept) <= 7
    assert 39 in kept


def test_processes_that_know_how_many_they_are_stay_within_the_bound_together(tmp_path: Path) -> None:
    settings, many = settings_in(tmp_path, bytes=20 * ONE * SHARDS), 8
    stores = [ThumbnailStore(settings, many) for _ in range(many)]
    for number in range(100):
        stores[number % many].put(hashed(number), 256, bytes(ONE))
        assert len(list((tmp_path / "thumbnails" / "aa").iterdir())) <= 20 + many
    assert len(list((tmp_path / "thumbnails" / "aa").iterdir())) >= 14


def test_what_is_looked_at_is_kept_longest(tmp_path: Path) -> None:
    store = ThumbnailStore(settings_in(tmp_path, bytes=5 * ONE * SHARDS))
    for number in range(12):
        store.put(hashed(number), 256, bytes(ONE))
        os.utime(tmp_path / "thumbnails" / "aa" / f"{hashed(number)}-256.webp", (number, number))
        assert store.get(hashed(0), 256), "the first one is looked at again and again"
    assert store.get(hashed(1), 256) is None


def test_a_file_that_a_killed_process_has_left_goes_in_time(tmp_path: Path) -> None:
    store = ThumbnailStore(settings_in(tmp_path, bytes=5 * ONE * SHARDS))
    store.put(hashed(0), 256, bytes(ONE))
    left = tmp_path / "thumbnails" / "aa" / f"{hashed(1)}-256.77-1"
    left.write_bytes(bytes(ONE))
    os.utime(left, (0, 0))
    for number in range(2, 12):
        store.put(hashed(number), 256, bytes(ONE))
    assert not left.exists()


def test_a_place_that_cannot_be_written_keeps_nothing_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    store = ThumbnailStore(settings_in(tmp_path))
    store.put(hashed(1), 256, b"small")
    assert store.get(hashed(1), 256) is None


def test_what_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "thumbnails" / "aa" / f"{hashed(1)}-256.webp"
    place.mkdir(parents=True)
    ThumbnailStore(settings_in(tmp_path)).put(hashed(1), 256, b"small")
    assert list(place.parent.iterdir()) == [place]


def test_a_bucket_that_does_not_answer_keeps_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    store = kept_here(settings_in(tmp_path, place="s3://away/thumbnails"))
    assert store is not None
    store.put(hashed(1), 256, b"small")
    assert store.get(hashed(1), 256) is None
