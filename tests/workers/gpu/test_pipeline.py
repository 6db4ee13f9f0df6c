"""The way of a file through a GPU worker: every file is accounted for, and none gets what belongs to another."""

import gc
import logging
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from numpy.typing import NDArray
from redis.backoff import NoBackoff
from redis.retry import Retry

from pictures.decode import decode
from pictures.picture import Pixels
from settings import load_settings
from tasks.checkpoint import PAYLOAD_SCHEMA, PREPROCESSING
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage
from tests.pictures.made.pictures import local_path
from tests.until import until
from tests.workers.gpu.bench import BATCH, TARGET, Bench, OpenBench, files_of
from workers import logs
from workers.gpu.delivery import FileState, KnownContent
from workers.gpu.pipeline import Pipeline
from workers.inference.captioners.captioner import Captioner
from workers.inference.embedders.embedder import Embedder


def spoiled(files: list[FileItem], folder: Path, rng: random.Random) -> tuple[list[FileItem], set[int]]:
    """The files with some of them cut off, empty or missing instead; and the numbers of these."""
    chosen = {item.number for item in files if rng.random() < 0.25}
    mixed = []
    for item in files:
        if item.number in chosen:
            path = folder / f"spoiled {item.number}.png"
            how = rng.choice(("cut", "empty", "missing"))
            if how != "missing":
                path.write_bytes(local_path(item.uri).read_bytes()[: 300 if how == "cut" else 0])
            item = FileItem(item.number, path.as_uri())
        mixed.append(item)
    return mixed, chosen


def embedded_alone(item: FileItem, clip: Embedder) -> NDArray[np.float32]:
    """The vector that a file has when nothing else is near it."""
    return clip.embed_pictures([decode(local_path(item.uri).read_bytes(), 10**6, clip.model_input, None).clip])[0]


@pytest.mark.parametrize(
    ("count", "files_per_task", "in_flight"),
    [
        *((count, per_task, 1) for count in (1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7) for per_task in (1, 5)),
        (3 * BATCH + 7, 1, 2),
    ],
)
def test_every_file_is_accounted_for_and_has_its_own_vector(
    open_bench: OpenBench,
    folder: Path,
    tmp_path: Path,
    clip: Embedder,
    count: int,
    files_per_task: int,
    in_flight: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As on an accelerator, where two batches are under way.
    monkeypatch.setattr("workers.gpu.models.STREAMING", ("cpu",) if in_flight == 2 else ())
    files, bad = spoiled(files_of(folder, count), tmp_path, random.Random(count))
    bench = open_bench()
    messages = [files[start : start + files_per_task] for start in range(0, count, files_per_task)]
    with ThreadPoolExecutor(3 * BATCH) as pool:
        list(pool.map(bench.process, messages))
    rows = bench.rows
    assert set(bench.failures) == bad
    assert set(rows) == {item.number for item in files} - bad
    assert bench.ledger.counts().failed == len(bad)
    for item in files:
        if item.number not in bad:
            vector, payload, reused = rows[item.number]
            assert (payload["uri"], reused) == (item.uri, False)
            assert np.allclose(vector, embedded_alone(item, clip), atol=1e-4)


def test_a_payload_says_what_the_file_is(open_bench: OpenBench, folder: Path, clip: Embedder, blip: Captioner) -> None:
    bench = open_bench(captions=True)
    (item,) = files_of(folder, 1)
    bench.process([item])
    ((_, payload, _),) = bench.rows.values()
    file = local_path(item.uri)
    assert payload.pop("caption").startswith("a ")
    assert len(payload.pop("sha256")) == 64
    assert payload.pop("indexed_at").endswith("Z")
    assert payload == {
        "uri": item.uri,
        "root": "file:///root",
        "name": "picture 00.png",
        "bytes": file.stat().st_size,
        "mtime": file.stat().st_mtime_ns,
        "format": "PNG",
        "width": 72,
        "height": 72,
        "clip_model": clip.name,
        "blip_model": blip.name,
        "preprocessing": PREPROCESSING,
        "schema": PAYLOAD_SCHEMA,
    }


def test_a_caption_is_that_of_its_own_file_in_a_crowd(open_bench: OpenBench, folder: Path, blip: Captioner) -> None:
    bench = open_bench(captions=True)
    files = files_of(folder, BATCH + 3)
    bench.process_each(files)
    pictures = [decode(local_path(item.uri).read_bytes(), 10**6, blip.model_input, None).clip for item in files]
    wanted = dict(zip([item.number for item in files], blip.caption(pictures), strict=True))
    assert {number: payload["caption"] for number, (_, payload, _) in bench.rows.items()} == wanted
    assert bench.pipeline.blip_batcher is not None
    assert bench.pipeline.blip_batcher.items == bench.pipeline.clip_batcher.items == len(files)


def test_many_threads_at_once_get_full_batches_and_mix_nothing_up(
    open_bench: OpenBench, folder: Path, clip: Embedder, tmp_path: Path
) -> None:
    bench = open_bench()
    paths = files_of(folder, 40)
    for number in range(240):
        # The same pixels, and other bytes behind them: a content of its own, which no other file lends its vector.
        picture = local_path(paths[number % 40].uri).read_bytes()
        (tmp_path / f"{number:03}.png").write_bytes(picture + bytes([number]))
    files = [FileItem(number, (tmp_path / f"{number:03}.png").as_uri()) for number in range(240)]
    bench.process_each(files, threads=64)
    rows = bench.rows
    assert len(rows) == 240
    alone = [embedded_alone(item, clip) for item in paths]
    assert all(np.allclose(rows[number][0], alone[number % 40], atol=1e-4) for number in rows)
    assert all(rows[number][1]["uri"] == files[number].uri for number in rows)
    assert bench.pipeline.clip_batcher.items == 240
    assert max(len(message.numbers) for message in bench.messages) > 1


def test_a_vector_that_is_not_finite_fails_alone_and_not_the_batch_it_would_travel_in(
    open_bench: OpenBench, folder: Path, clip: Embedder
) -> None:
    nothing = np.full(clip.dim, np.nan, dtype=np.float32)
    shas: list[str] = []

    def look_up(asked: list[str]) -> list[KnownContent | None]:
        shas.extend(asked)
        return [KnownContent(nothing, {}) if sha == shas[0] else None for sha in asked]

    bench = open_bench(look_up=look_up)
    files = files_of(folder, 3)
    bench.process(files)
    assert bench.failures == {files[0].number: "its embedding has numbers that are not finite"}
    assert set(bench.rows) == {files[1].number, files[2].number}


def test_out_of_memory_splits_the_batch_stores_every_file_and_keeps_the_size_that_fits(
    folder: Path, clip: Embedder, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = clip.embed_pictures
    sizes: list[int] = []

    def embed_few(pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        if not sizes:
            until(lambda: bench.pipeline.clip_batcher._waiting.qsize() >= BATCH, "a full batch to gather")
        if len(pictures) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(pictures))
        return embed(pictures)

    monkeypatch.setattr(clip, "embed_pictures", embed_few)
    bench = Bench(clip, None, client, lambda shas: [None] * len(shas))
    files = files_of(folder, 30)
    bench.process_each(files)
    assert set(bench.rows) == {item.number for item in files}
    assert bench.failures == {}
    assert max(sizes) <= 3
    assert bench.pipeline.clip_batcher.max_batch <= BATCH // 2
    monkeypatch.undo()
    bench.pipeline.close()


def test_a_ledger_that_is_away_fails_no_file(open_bench: OpenBench, folder: Path) -> None:
    bench = open_bench()
    nowhere = redis.Redis(unix_socket_path=str(folder / "no.sock"), retry=Retry(NoBackoff(), 0))
    message = FilesMessage(TARGET, "job", "file:///root", files_of(folder, 2))
    with pytest.raises(redis.ConnectionError):
        bench.pipeline.process(message, Ledger(nowhere, "job"), redelivered=True)
    assert bench.failures == {}


def test_a_ledger_that_is_away_when_a_file_fails_ends_its_message_and_no_other(
    open_bench: OpenBench, folder: Path, tmp_path: Path
) -> None:
    bench = open_bench()
    nowhere = redis.Redis(unix_socket_path=str(folder / "no.sock"), retry=Retry(NoBackoff(), 0))
    missing = FileItem(1, (tmp_path / "missing.png").as_uri())
    message = FilesMessage(TARGET, "job", tmp_path.as_uri(), [*files_of(folder, 2), missing])
    (tmp_path / "beside it").touch()
    with pytest.raises(redis.ConnectionError):
        bench.pipeline.process(message, Ledger(nowhere, "job"))
    bench.process(files_of(folder, 3))
    assert set(bench.rows) == {item.number for item in files_of(folder, 3)}
    assert bench.failures == {}


@pytest.mark.parametrize("redelivered", [False, True])
def test_pictures_that_are_through_leave_memory_without_a_search_for_garbage(
    open_bench: OpenBench, folder: Path, tmp_path: Path, redelivered: bool
) -> None:
    bench = open_bench(captions=True)
    files, _ = spoiled(files_of(folder, BATCH), tmp_path, random.Random(1))
    gc.collect()
    gc.disable()
    try:
        bench.process(files, redelivered)
        until(lambda: not any(type(object_) is FileState for object_ in gc.get_objects()), "every file to be gone")
    finally:
        gc.enable()


def test_lines_that_a_loader_writes_to_the_log_name_the_job(
    open_bench: OpenBench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Jobs(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            seen.append((threading.current_thread().name.partition("_")[0], logs._job.get(), logs._file.get()))
            return True

    seen: list[tuple[str, str, str]] = []
    (tmp_path / "empty.png").touch()
    uri = (tmp_path / "empty.png").as_uri()
    token = logs._job.set("20260131-142501-9f3a")
    caplog.handler.addFilter(watch := Jobs())
    try:
        open_bench().process([FileItem(1, uri)])
    finally:
        caplog.handler.removeFilter(watch)
        logs._job.reset(token)
    assert seen == [("loader", "20260131-142501-9f3a", uri)]


def test_points_that_cannot_be_sent_are_failed_with_the_reason(
    clip: Embedder, client: redis.Redis, folder: Path
) -> None:
    def publish(message: PointsMessage) -> None:
        if files[0].number in message.numbers:
            raise TypeError("cannot be packed")
        sent.extend(message.numbers)

    sent: list[int] = []
    files = files_of(folder, 3)
    ledger = Ledger(client, "job")
    pipeline = Pipeline(load_settings(), clip, None, lambda shas: [None] * len(shas), publish)
    pipeline.process(FilesMessage(TARGET, "job", "file:///root", files), ledger)
    pipeline.close()
    assert sorted(sent) == [item.number for item in files[1:]]
    assert [failure.number for failure in ledger.failures()] == [files[0].number]
    assert "cannot be packed" in ledger.failures()[0].reason


def test_copies_in_one_message_keep_all_their_paths(open_bench: OpenBench, folder: Path, tmp_path: Path) -> None:
    data = local_path(files_of(folder, 1)[0].uri).read_bytes()
    files = []
    for number in range(4):
        (tmp_path / f"copy {number}.png").write_bytes(data)
        files.append(FileItem(number, (tmp_path / f"copy {number}.png").as_uri()))
    bench = open_bench()
    bench.process(files)
    assert {payload["uri"] for _, payload, _ in bench.rows.values()} == {item.uri for item in files}
    assert len({payload["sha256"] for _, payload, _ in bench.rows.values()}) == 1


def test_a_pipeline_that_is_closed_has_ended_its_batchers(clip: Embedder) -> None:
    clip.load_pictures()
    before = set(threading.enumerate())
    pipeline = Pipeline(load_settings(), clip, None, lambda shas: [None] * len(shas), lambda message: None)
    pipeline.models.load()
    began = {thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("watchdog")}
    assert {thread.name.partition("_")[0] for thread in began} == {"clip", "look-up", "hand-over", "loader"}
    pipeline.close()
    assert not any(thread.is_alive() for thread in began)
