"""How a job is, and how everything is."""

from dataclasses import replace
from io import StringIO

import pytest
import redis
from rich.console import Console

from producer.jobs.running import RunningStack
from producer.jobs.tables import print_job, print_overview
from producer.jobs.view import job_status, latest_job, overview
from settings.errors import WrongUse
from tasks.envelope import Envelope
from tasks.ledger import Failure, Ledger
from tasks.messages import SCHEMA, Target
from tasks.queues import FILES, LEFT, POINTS, PROCESS_FILES
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
        "still_broken": 0,
        "embedded": 0,
        "captioned": 0,
        "sources": ["/home/ada/my pictures"],
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
    assert first.startswith("job  abandoned  2 stored of ?  since ")
    assert second == "  Its producer is gone. Go on with: python -m producer ingest '/home/ada/my pictures'"


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
    assert line.startswith("job  running  1,500 stored of 2,000  since 2026-01-31 ")
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
    print_overview(replace(found, advice="That is a lot."), console)
    lines = console.export_text().splitlines()
    assert lines.pop(1) == "That is a lot."
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


def test_the_overview_tells_what_runs_here_and_what_lies_aside(client: redis.Redis) -> None:
    envelope = Envelope(PROCESS_FILES, FILES, parent="job")
    client.lpush(LEFT, envelope.message({}, "a.jpg", [0]), envelope.message({}, "b.jpg", [1, 2]))
    stack = RunningStack(
        pid=4711,
        since=1769869501.0,
        stays=False,
        clip="a-clip",
        blip="",
        memory={"redis": 3_000_000, "gpu0": 2_000_000},
    )
    found = overview(client, COLLECTION, stack)
    console = a_console()
    print_overview(found, console)
    lines = console.export_text().splitlines()
    assert lines[2].startswith("Stack: up since 2026-01-31 ")
    assert lines[2].endswith("(process 4711), a-clip, no captions, 5.0 MB of memory; it goes down when it is not used")
    assert lines[3] == (
        "3 files of job job still wait: python -m producer resume job goes on, "
        "python -m workers down --discard drops them"
    )
    told = found.to_dict()
    assert (told["left"], told["stack"]["memory"]["gpu0"]) == ({"job": 3}, 2_000_000)


def test_the_latest_job_is_the_one_of_this_collection(client: redis.Redis) -> None:
    with pytest.raises(WrongUse, match="has no job of the last 30 days"):
        latest_job(client)
    for number, collection in enumerate(["pictures", "pictures", "cats"]):
        Ledger(client, f"job{number}").open("file:///p", collection=collection)
        client.zadd("darkroom:jobs", {f"job{number}": 2e9 + number})
    assert latest_job(client) == "job1"


def test_a_job_of_several_roots_names_them_and_what_it_was_given(client: redis.Redis) -> None:
    roots = " ".join(f"file:///p/{name}" for name in ("a%20b", "c", "d", "e"))
    Ledger(client, "job").open(roots, sources='["/p/a b", "/p/c"]')
    job = job_status(client, "job")
    assert (job.root, job.sources) == ("/p/a b, /p/c, /p/d and 1 more", ["/p/a b", "/p/c"])
