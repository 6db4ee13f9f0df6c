"""How much memory files take: bounded in bytes and in pixels, in turn, and without anybody waiting for ever."""

import os
import random
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from settings import load_settings
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage, Target
from tests.conftest import ROOT
from tests.until import until
from workers.gpu.loading.loader import LoaderHere
from workers.gpu.loading.memory_budget import Lease, MemoryBudget, NoRoom
from workers.gpu.pipeline import Pipeline
from workers.inference.null import NullClip


def test_what_does_not_fit_waits_until_it_does() -> None:
    budget = MemoryBudget(10)
    assert budget.try_take(6)
    assert not budget.try_take(5)
    waiting = threading.Thread(target=budget.take, args=(5,))
    waiting.start()
    until(lambda: budget._waiting, "the second to wait")
    budget.give_back(6)
    waiting.join(30)
    assert budget.taken == 5


def test_what_is_larger_than_everything_passes_alone() -> None:
    budget = MemoryBudget(10)
    assert budget.try_take(25)
    assert not budget.try_take(1)
    budget.give_back(25)
    assert budget.try_take(1)
    assert not budget.try_take(25)


def test_nobody_goes_before_one_who_waits_for_much() -> None:
    budget = MemoryBudget(10)
    budget.take(8)
    waiting = threading.Thread(target=budget.take, args=(9,))
    waiting.start()
    until(lambda: budget._waiting, "the large one to wait")
    assert not budget.try_take(1)
    budget.give_back(8)
    waiting.join(30)
    assert budget.taken == 9


def test_a_budget_that_is_closed_sends_away_who_waits() -> None:
    budget = MemoryBudget(1)
    budget.take(1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(budget.take, 1)
        until(lambda: budget._waiting, "it to wait")
        budget.close()
        assert isinstance(waiting.exception(30), CancelledError)
    assert budget.taken == 1


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=40), limit=st.integers(1, 40))
def test_there_is_never_more_than_the_limit_or_one_alone(sizes: list[int], limit: int) -> None:
    budget, lock = MemoryBudget(limit), threading.Lock()
    held: list[int] = []
    seen: list[list[int]] = []

    def one(size: int) -> None:
        lease = Lease(budget)
        try:
            lease.reserve(size)
        except NoRoom as error:
            lease.prepay(error.size)
            lease.reserve(size)
        with lock:
            held.append(size)
            seen.append(list(held))
        with lock:
            held.remove(size)
        lease.give_back()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, sizes))
    assert budget.taken == 0
    assert all(sum(sizes) <= limit or len([size for size in sizes if size]) == 1 for sizes in seen)


def test_a_lease_gives_back_what_was_reserved_too_much_and_nothing_twice() -> None:
    budget = MemoryBudget(100)
    lease = Lease(budget)
    lease.reserve(80)
    lease.settle(30)
    lease.reserve(50)
    assert budget.taken == 80
    lease.give_back()
    lease.give_back(50)
    lease.give_back()
    assert budget.taken == 0


def loader_of(pipeline: Pipeline) -> LoaderHere:
    (loader,) = pipeline.loaders.loaders
    assert isinstance(loader, LoaderHere)
    return loader


def pixels_of(pipeline: Pipeline) -> MemoryBudget:
    pixels = loader_of(pipeline).files._pixels
    assert isinstance(pixels, MemoryBudget)
    return pixels


class Memory:
    """A pipeline of the null model that may hold `read_bytes` bytes of files; `peak` is the most that it held."""

    def __init__(self, client: redis.Redis, read_bytes: int) -> None:
        settings = load_settings()
        gpu = settings.gpu.model_copy(update={"read_bytes": read_bytes})
        self.messages: list[PointsMessage] = []
        self.ledger = Ledger(client, "job")
        self.peak = 0
        self.pipeline = Pipeline(
            settings.model_copy(update={"gpu": gpu}),
            NullClip("null"),
            None,
            self._look_up,
            self.messages.append,
        )

    def _look_up(self, shas: list[str]) -> list[None]:
        self.peak = max(self.peak, self.pipeline._budget.taken)
        return [None] * len(shas)

    def process(self, messages: list[list[FileItem]], redelivered: bool = False) -> None:
        """Bring all messages through at once, as the threads of a worker do."""

        def one(files: list[FileItem]) -> None:
            self.pipeline.process(
                FilesMessage(Target("pictures", "null"), "job", "file:///root", files), self.ledger, redelivered
            )

        with ThreadPoolExecutor(len(messages)) as pool:
            list(pool.map(one, messages))


@pytest.mark.parametrize("redelivered", [False, True])
@pytest.mark.parametrize("files_per_task", [1, 7])
@pytest.mark.parametrize("room", [1, 3, 1000])
def test_every_file_comes_through_however_little_room_there_is(
    folder: Path, client: redis.Redis, redelivered: bool, files_per_task: int, room: int
) -> None:
    paths = sorted(folder.iterdir())
    sizes = [path.stat().st_size for path in paths]
    limit = room * max(sizes)
    memory = Memory(client, limit)
    files = [FileItem(number, path.as_uri()) for number, path in enumerate(paths)]
    random.Random(room).shuffle(files)
    messages = [files[start : start + files_per_task] for start in range(0, len(files), files_per_task)]
    memory.process(messages, redelivered)
    memory.pipeline.close()
    assert {number for message in memory.messages for number in message.numbers} == set(range(len(files)))
    assert memory.ledger.failures() == []
    assert 0 < memory.peak <= limit
    assert memory.pipeline._budget.taken == 0


def test_a_worker_that_stops_does_not_wait_for_room(folder: Path, client: redis.Redis) -> None:
    memory = Memory(client, 1)
    memory.pipeline._budget.take(1)
    item = FileItem(1, sorted(folder.iterdir())[0].as_uri())
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(memory.process, [[item]])
        until(lambda: memory.pipeline._budget._waiting, "the file to wait")
        memory.pipeline.cancel(0)
        assert isinstance(done.exception(30), CancelledError)
    memory.pipeline.close()
    assert memory.ledger.failures() == []


def test_pictures_that_are_decoded_at_the_same_time_have_no_more_pixels_than_one_may(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM__GPU__LOADERS", "8")
    monkeypatch.setenv("DARKROOM__INGEST__MAX_PIXELS", "10000")
    load_settings.cache_clear()
    seen: list[int] = []
    try:
        memory = Memory(client, 10**9)
        pixels = pixels_of(memory.pipeline)
        load = Image.Image.convert

        def looking(image: Image.Image, *arguments: object, **options: object) -> Image.Image:
            seen.append(pixels.taken)
            return load(image, *arguments, **options)  # type: ignore[arg-type]  # passed on as they are

        monkeypatch.setattr(Image.Image, "convert", looking)
        files = []
        for number in range(24):
            path = tmp_path / f"{number}.png"
            noise = np.random.default_rng(number).integers(0, 256, (60, 80, 4), dtype=np.uint8)
            Image.fromarray(noise, "RGBA").save(path)
            files.append([FileItem(number, path.as_uri())])
        memory.process(files)
        memory.pipeline.close()
    finally:
        load_settings.cache_clear()
    assert memory.ledger.failures() == []
    assert len({number for message in memory.messages for number in message.numbers}) == 24
    assert 4800 <= max(seen) <= 10_000


def test_a_picture_to_search_by_waits_for_its_pixels_and_is_watched_like_a_file(
    folder: Path, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(client, 10**9)
    pipeline = memory.pipeline
    pixels, watched = pixels_of(pipeline), loader_of(pipeline)._watchdog._watched
    data = sorted(folder.iterdir())[0].read_bytes()
    seen: list[int] = []
    load = Image.Image.resize

    def looking(image: Image.Image, *arguments: Any, **options: Any) -> Image.Image:
        seen.append(len(watched))
        return load(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "resize", looking)
    pixels.take(pixels.limit)
    with ThreadPoolExecutor(1) as pool:
        decoded = pool.submit(pipeline.decode_query, data, "a picture")
        until(lambda: pixels._waiting, "it to wait")
        # While it waits it does not hang.
        assert (watched, seen) == ({}, [])
        pixels.give_back(pixels.limit)
        assert decoded.result(30).format == "PNG"
    assert seen == [1]
    assert (watched, pixels.taken) == ({}, 0)
    pipeline.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_a_worker_holds_as_many_bytes_of_files_as_it_may_and_not_all_that_are_in_flight(
    redis_process: str, client: redis.Redis, tmp_path: Path
) -> None:
    # Larger than what glibc keeps for later when it is freed.
    file, room = 40_000_000, 130_000_000
    command = [
        sys.executable,
        "-m",
        "tests.workers.gpu.loading.reading_child",
        str(tmp_path),
        "24",
        str(file),
        str(room),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DARKROOM__BROKER__URL": redis_process}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    before, peak, published = map(int, done.stdout.split())
    assert published == 24
    assert file < peak - before < room + file
