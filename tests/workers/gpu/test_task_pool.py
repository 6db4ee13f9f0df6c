"""Files are done without a thread for each of their tasks; how each ended is told as a task of a thread tells it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tasks.messages import FileItem, FilesMessage
from tasks.queues import EMBED_TEXTS, PROCESS_FILES
from tests.until import until
from tests.workers.gpu.bench import TARGET, Bench, OpenBench, files_of
from workers.gpu import tasks
from workers.gpu.task_pool import TaskPool
from workers.gpu.tasks import BEGUN, opened


class Worker:
    """A pool, and the tasks of files that it has run: what each returned or raised, by which thread, in what time."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.pool = TaskPool(limit=500)
        self.accepted: list[float] = []
        self.ended: dict[int, tuple[Any, str, float]] = {}
        self.log: list[str] = []

    def request_of(self, item: FileItem, redelivered: bool = False) -> dict[str, Any]:
        wire = FilesMessage(TARGET, "job", "file:///root", [item]).to_wire()
        return {"id": str(item.number), "kwargs": wire, "delivery_info": {"redelivered": redelivered}}

    def take(self, item: FileItem) -> None:
        """Take a message, as Celery's consumer does."""
        threads: list[str] = []

        def trace(name: str, identity: str, request: dict[str, Any], *_: object) -> tuple[int, Any, float]:
            threads.append(threading.current_thread().name)
            return 0, [failure.reason for failure in self.bench.pipeline.finish(request.pop(BEGUN))], 0.0

        def ended(result: tuple[int, Any, float]) -> None:
            self.log.append("ended")
            self.ended[item.number] = result[1], threads[0], result[2]

        arguments = (PROCESS_FILES, str(item.number), self.request_of(item), None, None, None)
        self.pool.on_apply(trace, arguments, {}, ended, lambda pid, moment: self.accepted.append(moment))


@pytest.fixture
def go_on() -> threading.Event:
    """Look-ups are answered once it is set."""
    return threading.Event()


@pytest.fixture
def worker(
    open_bench: OpenBench, client: redis.Redis, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Worker]:
    def look_up(shas: list[str]) -> list[None]:
        go_on.wait()
        return [None] * len(shas)

    bench = open_bench(look_up=look_up)
    monkeypatch.setattr(tasks, "pipeline", lambda: bench.pipeline)
    monkeypatch.setattr(tasks, "client", lambda: client)
    monkeypatch.setattr(TARGET.__class__, "mismatch", lambda self, name, has: "")
    yield Worker(bench)
    go_on.set()


def test_files_under_way_have_no_threads_and_all_of_them_end(
    worker: Worker, folder: Path, go_on: threading.Event
) -> None:
    files = files_of(folder, 20)
    before = set(threading.enumerate())
    for item in files:
        worker.take(item)
    assert len(worker.accepted) == len(files)
    assert set(threading.enumerate()) <= before
    assert worker.ended == {}
    go_on.set()
    until(lambda: len(worker.ended) == len(files), "all files to end")
    worker.pool.on_stop()
    assert worker.bench.rows.keys() == {item.number for item in files}
    assert {reasons == [] for reasons, _, _ in worker.ended.values()} == {True}
    assert {thread.startswith("ending") for _, thread, _ in worker.ended.values()} == {True}
    # What Flower shows is the time since the file was begun, not that of its task.
    assert all(seconds > 0 for _, _, seconds in worker.ended.values())


def test_a_file_that_fails_is_told_by_a_thread_of_its_own(
    worker: Worker, tmp_path: Path, go_on: threading.Event
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    go_on.set()
    worker.take(FileItem(0, (tmp_path / "broken.jpg").as_uri()))
    until(lambda: 0 in worker.ended, "the file to end")
    reasons, thread, _ = worker.ended[0]
    assert len(reasons) == 1
    assert not thread.startswith("ending")
    assert worker.bench.failures.keys() == {0}
    worker.pool.on_stop()


def test_a_pool_that_stops_waits_for_the_files_that_are_under_way(
    worker: Worker, folder: Path, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(folder, 20)
    for item in files:
        worker.take(item)
    wait_for = worker.pool._changed.wait_for

    def noticed(predicate: Callable[[], bool]) -> bool:
        go_on.set()
        return wait_for(predicate)

    monkeypatch.setattr(worker.pool._changed, "wait_for", noticed)
    worker.pool.on_stop()
    worker.log.append("stopped")
    assert worker.log == ["ended"] * len(files) + ["stopped"]


def test_what_its_task_must_look_at_first_is_not_begun(
    worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = files_of(folder, 1)[0]
    assert opened(worker.request_of(item)) is not None
    assert opened(worker.request_of(item, redelivered=True)) is None
    assert opened({"id": "1", "kwargs": {"schema": -1}}) is None
    monkeypatch.setattr(tasks, "is_stopped", lambda job: True)
    assert opened(worker.request_of(item)) is None


def test_other_tasks_run_in_threads(worker: Worker) -> None:
    said: list[str] = []

    def trace(*_: object) -> tuple[int, Any, float]:
        said.append(threading.current_thread().name)
        return 0, None, 0.0

    done = worker.pool.on_apply(trace, (EMBED_TEXTS, "1", {}, None, None, None), {}, print, lambda *_: None)
    done.wait(60)
    assert said
    assert not said[0].startswith(("MainThread", "ending"))
    worker.pool.on_stop()
