"""`status --watch`: what it draws, what it prints for programs, and how it ends."""

import io
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rich.console import Console

from producer.jobs.dashboard import drawn, stream, watch
from producer.jobs.view import QUEUES, JobView
from settings.errors import WrongUse
from tasks.ledger import Failure, Ledger
from tasks.queues import POINTS, role
from tasks.registry import announce, renew_worker
from tests.conftest import ROOT


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    """A job of ten files, of which four are stored, one is failed and one is unchanged."""
    ledger = Ledger(client, "20260131-142501-9f3a")
    ledger.open("file:///photos/2024")
    ledger.hold(600)
    ledger.note(total=10)
    ledger.stored([0, 1, 2, 3], [False] * 4)
    ledger.failed([Failure(4, "file:///photos/2024/a.jpg", "decode", "it is cut off")])
    ledger.skipped([5])
    return ledger


@pytest.fixture
def view(client: redis.Redis) -> Iterator[JobView]:
    found = JobView(client)
    yield found
    found.close()


def text_of(found: dict[str, Any], away: bool = False, width: int = 120) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(drawn(found, away))
    return console.export_text()


def test_a_look_has_the_queues_and_the_jobs(client: redis.Redis, ledger: Ledger, view: JobView) -> None:
    client.lpush(POINTS, "one", "two")
    found = view.read()
    assert found["queues"] == {role(queue): 2 if queue == POINTS else 0 for queue in QUEUES}
    (job,) = found["jobs"]
    assert (job["job"], job["state"], job["stored"], job["failed"]) == (ledger.job, "running", 4, 1)


def test_it_names_the_workers_that_live_also_those_that_are_loading(client: redis.Redis, view: JobView) -> None:
    announce(client, "storage@a")
    renew_worker(client, "gpu0@a")
    assert [worker["name"] for worker in view.read()["workers"]] == ["gpu0@a", "storage@a"]


def test_the_rate_is_what_was_finished_since_the_first_look(ledger: Ledger, view: JobView) -> None:
    begin = time.monotonic()
    assert view.read()["jobs"][0]["rate"] == 0
    ledger.stored([6, 7], [False, False])
    job = view.read()["jobs"][0]
    assert job["rate"] >= round(2 / (time.monotonic() - begin), 2)
    assert job["seconds_left"] == pytest.approx(2 / job["rate"], abs=0.2)


def test_while_files_are_enqueued_the_total_is_what_was_counted(client: redis.Redis, view: JobView) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///photos")
    assert view.read()["jobs"][0]["total"] is None
    ledger.note(counted=7)
    assert view.read()["jobs"][0]["total"] == 7


def test_the_dashboard_names_jobs_queues_workers_and_faults(ledger: Ledger, view: JobView) -> None:
    found = view.read() | {"workers": [{"name": "gpu0@box"}], "faults": {"gpu1@box": "The model is not there."}}
    shown = text_of(found)
    for part in (
        ledger.job,
        "running",
        "6/10",
        "/photos/2024",
        "gpu0@box",
        "gpu1@box: The model is not there.",
        "points",
    ):
        assert part in shown


def test_in_a_narrow_terminal_a_folder_is_cut_at_its_left_so_that_jobs_can_be_told_apart(view: JobView) -> None:
    job = {"state": "done", "total": 9, "stored": 9, "failed": 0, "skipped": 0, "rate": 0.0, "seconds_left": None}
    folders = [f"/home/ada/Pictures/of many years/{year}" for year in (2023, 2024)]
    jobs = [{**job, "job": "20260131-142501-9f3a01bc", "root": folder} for folder in folders]
    shown = text_of({**view.read(), "jobs": jobs}, width=80)
    for year in ("2023", "2024"):
        (line,) = [line for line in shown.splitlines() if line.rstrip().endswith(year)]
        assert "…" in line
    assert "/home/ada/Pictures/of many years/2024" in text_of({**view.read(), "jobs": jobs}, width=200)


def test_before_the_first_look_and_while_redis_is_away_it_says_so() -> None:
    assert "Redis does not answer" in text_of({}, away=True)


def test_without_a_terminal_it_says_what_to_do(view: JobView) -> None:
    with pytest.raises(WrongUse, match=r"^status --watch draws on a terminal: add --json where there is none\.$"):
        watch(view, Console(file=io.StringIO()), 1, until_over=False)


def test_programs_get_an_object_a_look_until_the_job_is_over(client: redis.Redis, ledger: Ledger) -> None:
    seen: list[dict[str, Any]] = []

    def show(found: dict[str, Any]) -> None:
        seen.append(json.loads(json.dumps(found)))
        ledger.stored([6, 7, 8, 9], [False] * 4)

    stream(JobView(client, ledger.job), show, 0.01, until_over=True)
    assert [found["jobs"][0]["state"] for found in seen] == ["running", "done"]
    assert all(found["redis"] for found in seen)


def test_on_a_terminal_q_ends_it(redis_process: str, ledger: Ledger, tmp_path: Path) -> None:
    here, there = pty.openpty()
    env = {
        **os.environ,
        "DARKROOM__BROKER__URL": redis_process,
        "DARKROOM__QDRANT__URL": "http://elsewhere.invalid:6333",
        "DARKROOM__DATA__DIR": str(tmp_path),
        "TERM": "xterm",
        "COLUMNS": "120",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "producer", "status", "--watch"],
        cwd=ROOT, env=env, stdin=there, stdout=there, stderr=there, close_fds=True,
    )  # fmt: skip
    os.close(there)
    try:
        shown = b""
        while b"Ctrl-C ends" not in shown:
            shown += os.read(here, 4096)
        assert ledger.job.encode() in shown
        os.write(here, b"q")
        # What it still draws has to be read, or it could not end.
        while process.poll() is None:
            try:
                os.read(here, 4096)
            except OSError:
                break
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(here)
