"""The table of jobs."""

import re
import time
from dataclasses import replace

from rich.console import Console

from producer.jobs.tables import jobs_table
from producer.records import Job

JOB = Job(
    job="20260131-142501-9f3a",
    root="/pictures",
    state="done",
    started=time.mktime((2026, 1, 31, 14, 25, 1, 0, 0, -1)),
    total=1234,
    stored=1000,
    failed=4,
    skipped=230,
    reused=900,
    embedded=100,
    captioned=100,
)


def test_the_name_of_a_job_is_whole_in_a_narrow_terminal() -> None:
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        running = replace(JOB, state="running", total=None, stored=0, reused=0, skipped=0, failed=0)
        console.print(jobs_table([JOB, running]))
    shown = capture.get().splitlines()
    assert shown[0].split() == ["job", "begun", "state", "files", "outcome", "folder"]
    assert re.match(r"20260131-142501-9f3a  2026-01-31 14:25  done +1,234  100 stored", shown[1])
    assert "900 reused" in " ".join(shown)
    assert shown[-1].split() == [
        "20260131-142501-9f3a",
        "2026-01-31",
        "14:25",
        "running",
        "?",
        "nothing",
        "yet",
        "/pictures",
    ]
