"""The producer as a child of the worker that ingests for others: a real child, and how it is ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from settings import load_settings
from settings.errors import WrongUse
from tasks.app import app
from tasks.ledger import JOB_VARIABLE, new_job_id
from tasks.queues import HTTP_INGEST, QUERIES
from tasks.registry import ready
from tasks.stack.paths import error_line
from tests.conftest import ROOT
from tests.own_settings import own_settings
from tests.until import until
from workers.http_tasks import directory

JOB = "4865d680-e413-4848-9f5b-cd8ab2677feb"


@pytest.fixture
def broker(client: redis.Redis, redis_process: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """A cluster without workers: a job waits for the storage worker for ever."""
    monkeypatch.setenv("DARKROOM__BROKER__URL", redis_process)
    monkeypatch.setenv("DARKROOM__QDRANT__URL", "http://elsewhere.invalid:6333")
    yield client
    directory.stopping.clear()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "one.png").write_bytes(b"no picture")
    return folder


def children() -> list[psutil.Process]:
    """The producers that this process has started."""
    return [child for child in psutil.Process().children() if "producer" in child.cmdline()]


def test_a_folder_that_is_none_is_refused_with_the_sentence_of_the_producer(
    tmp_path: Path, broker: redis.Redis
) -> None:
    code, out, err = directory.run_producer("/there/is/none", JOB, tmp_path, lambda: False)
    assert code == WrongUse.exit_code
    assert out.read_text() == ""
    assert error_line(err) == "There is no folder /there/is/none."


def test_a_folder_outside_of_the_allowed_roots_is_not_even_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_settings(tmp_path, monkeypatch, '[paths]\nallowed = ["/photos"]')
    with pytest.raises(WrongUse, match=r"^The folder /etc is refused: it is not below the allowed roots"):
        directory._allowed("/etc")
    assert directory._allowed("/photos/2024") == "/photos/2024"
    load_settings.cache_clear()


@pytest.fixture(params=[signal.SIG_IGN, signal.default_int_handler], ids=["started with &", "started by hand"])
def takes_interrupts(request: pytest.FixtureRequest) -> Iterator[None]:
    """A worker that takes Ctrl-C, and one that a script has started with `&`, where the shell has it ignored."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("takes_interrupts")
@pytest.mark.parametrize("reason", ["abort", "stop"])
def test_the_child_ends_when_the_task_is_aborted_and_when_the_worker_stops(
    reason: str, tmp_path: Path, pictures: Path, broker: redis.Redis
) -> None:
    aborted = threading.Event()

    def end() -> None:
        until(children, "the producer to run")
        # Python must be far enough to take Ctrl-C as a person's: it asks the storage worker by then.
        until(lambda: broker.llen(QUERIES), "the producer to ask")
        (aborted if reason == "abort" else directory.stopping).set()

    threading.Thread(target=end, daemon=True).start()
    code, _, _ = directory.run_producer(str(pictures), JOB, tmp_path, aborted.is_set)
    assert code in (130, -signal.SIGINT)
    assert not children()


def test_the_job_has_the_name_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_VARIABLE, JOB)
    assert new_job_id() == JOB
    monkeypatch.delenv(JOB_VARIABLE)
    assert new_job_id() != new_job_id()


def test_the_result_of_a_long_ingest_is_kept_while_it_runs_and_a_day_after_its_end(
    broker: redis.Redis, pictures: Path, tmp_path: Path
) -> None:
    env = {**os.environ, "DARKROOM__DATA__DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "workers", "ingest", "--one"]
        worker = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        until(lambda: ready(broker).get("ingest") == worker.pid, "the ingest worker to be ready")
        asked = app.send_task(HTTP_INGEST, kwargs={"directory": str(pictures)}, ignore_result=False)
        until(lambda: asked.state == "STARTED", "the ingest to run")
        key = f"celery-task-meta-{asked.id}"
        a_result_seconds = app.conf.result_expires
        until(lambda: broker.ttl(key) > a_result_seconds, "the result of the running task to be kept")
        # Nobody serves the collection, so it ends with a sentence.
        until(lambda: asked.state == "FAILURE", "the ingest to end")
        until(lambda: broker.ttl(key) > a_result_seconds, "its end to be kept")
    finally:
        worker.kill()
        worker.wait()
