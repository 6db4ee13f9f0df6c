"""How a job is, and how everything is."""

from io import StringIO

import pytest
import redis
from rich.console import Console

from producer.jobs.tables import print_job, print_overview
from producer.jobs.view import job_status, overview
from settings.errors import WrongUse
from tasks.ledger import Failure, Ledger
from tasks.messages import SCHEMA, Target
from tasks.queues import FILES, POINTS
from tasks.registry import renew_worker, report_fault

COLLECTION = {"name": "pictures", "clip_model": "shapes-clip@1a2b3c4d", "points": 12345}


def a_job(client: redis.Redis, name: str = "job") -> Ledger:
    ledger = Ledger(client, name)
    ledger.open("file:///home/ada/my%20pictures", collection="pictures")
    ledger.hold(60)
    return ledger


def a_console() -> Console:
    return Console(record=True, width=160, file=StringIO())


def test_a_job_that_nobody_knows_is_wrong_use_and_says_where_to_look(client: redis.Redis) -> None:
    with pytest.raises(
        WrongUse, match=r"^There is no job nobody: `python -m producer status` shows the latest ones\.$"
    ):
        job_status(client, "nobody")


def test_a_running_job_has_counts_and_no_total_before_it_is_counted(client: redis.Redis) -> None:
    ledger = a_job(client)
    ledger.stored([0, 1], [True, False])
    ledger.failed([Failure(2, "file:///p/2.png", "read", "the file is empty")])
    ledger.skipped([3])
    status = job_status(client, "job").to_dict()
    assert status.pop("started") > 0
    assert status == {
        "job": "job",
        "root": "/home/ada/my pictures",
        "state": "running",
        "total": None,
        "stored": 2,
        "failed": 1,
        "skipped": 1,
        "reused": 1,
        "embedded": 0,
        "captioned": 0,
    }


def test_an_interrupted_job_whose_last_files_were_stored_later_is_done(client: redis.Redis) -> None:
    ledger = a_job(client)
    ledger.note(total=3, state="interrupted")
    ledger.stored([0, 1], [False, False])
    assert job_status(client, "job").state == "interrupted"
    ledger.stored([2], [False])
    assert job_status(client, "job").state == "done"


def test_a_job_whose_producer_is_gone_is_abandoned_and_says_how_to_go_on(client: redis.Redis) -> None:
    ledger = a_job(client)
    ledger.stored([0, 1], [False, False])
    assert job_status(client, "job").state == "running"
    ledger.release()
    status = job_status(client, "job")
    assert (status.state, status.stored, status.total) == ("abandoned", 2, None)
    console = a_console()
    print_job(status, console)
    first, second = console.export_text().splitlines()
    assert first.startswith("job  abandoned  2 stored, 0 unchanged, 0 failed of ?  since ")
    assert second == (
        "  Its producer is gone; what it had enqueued is still being finished. "
        "Go on with: python -m producer ingest '/home/ada/my pictures'"
    )


def test_a_job_whose_producer_died_over_the_last_writes_is_done_when_they_are(client: redis.Redis) -> None:
    ledger = a_job(client)
    ledger.note(total=2)
    ledger.release()
    assert job_status(client, "job").state == "abandoned"
    ledger.stored([0, 1], [False, False])
    assert job_status(client, "job").state == "done"


def test_a_job_is_one_line(client: redis.Redis) -> None:
    ledger = a_job(client)
    ledger.note(total=2000, started=1769869501.0)
    ledger.stored(list(range(1500)), [False] * 1500)
    console = a_console()
    print_job(job_status(client, "job"), console)
    line = console.export_text()
    assert line.startswith("job  running  1,500 stored, 0 unchanged, 0 failed of 2,000  since 2026-01-31 ")
    assert line.endswith("  /home/ada/my pictures\n")


def test_the_overview_tells_the_collection_the_queues_the_faults_and_the_latest_jobs(client: redis.Redis) -> None:
    for number in range(7):
        a_job(client, f"job{number}")
        client.zadd("darkroom:jobs", {f"job{number}": 2e9 + number})
    client.lpush(FILES, *["message"] * 3)
    client.lpush(POINTS, "message")
    report_fault(client, "gpu0", "The GPU has no memory left.")
    found = overview(client, COLLECTION)
    assert [job.job for job in found.jobs] == ["job6", "job5", "job4", "job3", "job2"]
    console = a_console()
    print_overview(found, console)
    lines = console.export_text().splitlines()
    assert lines[:3] == [
        "Collection pictures: 12,345 points, shapes-clip@1a2b3c4d",
        "Queues: 3 in files, 1 in points",
        "gpu0: The GPU has no memory left.",
    ]
    assert [line.split()[0] for line in lines[3:]] == ["job6", "job5", "job4", "job3", "job2"]


def test_the_overview_tells_what_each_living_worker_has_and_what_another_release_has_left(client: redis.Redis) -> None:
    renew_worker(client, "storage@a")
    renew_worker(client, "gpu0@a", has=Target("pictures", "a-clip", "a-blip"), device="cuda:0")
    renew_worker(client, "gpu1@a", has=Target("pictures", "a-clip", ""), device="cpu")
    old = f"darkroom.v{SCHEMA - 1}.pictures"
    client.lpush(f"{old}.points", "message", "message")
    client.lpush(f"{old}.files.gpu0@a", "message")
    client.hset(f"{old}.unacked", "tag", "message")
    # Of another collection, and no queue.
    client.lpush(f"darkroom.v{SCHEMA - 1}.cats.files", "message")
    client.hset(f"{old}:workers", "gpu0@a", "1 {}")
    found = overview(client, COLLECTION)
    assert found.other_releases == {f"{old}.files.gpu0@a": 1, f"{old}.points": 2, f"{old}.unacked": 1}
    console = a_console()
    print_overview(found, console)
    rest = "messages of another release wait in"
    advice = "start its workers to work them off, or leave them and ingest again."
    assert console.export_text().splitlines()[2:-1] == [
        "Worker gpu0@a: pictures, a-clip, captions by a-blip, on cuda:0",
        "Worker gpu1@a: pictures, a-clip, no captions, on cpu",
        "Worker storage@a: pictures",
        f"1 {rest} {old}.files.gpu0@a: {advice}",
        f"2 {rest} {old}.points: {advice}",
        f"1 {rest} {old}.unacked: {advice}",
    ]
    assert found.to_dict()["workers"][1]["captions"] is False


def test_with_nothing_done_yet_the_overview_says_so(client: redis.Redis) -> None:
    console = a_console()
    print_overview(overview(client, {"name": "pictures", "clip_model": None, "points": 0}), console)
    assert console.export_text() == "Collection pictures: 0 points, no model yet\nQueues: empty\nNo jobs yet.\n"
