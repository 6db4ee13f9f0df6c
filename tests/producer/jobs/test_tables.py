"""Jobs and failures as records: on a terminal, and in a pipe."""

import io
import time
from dataclasses import replace

from rich.console import Console

from producer.jobs.report import Report
from producer.jobs.tables import print_failures, print_jobs, print_report
from producer.records import FailedFile, Job

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
RUNNING = replace(JOB, state="running", total=None, stored=0, reused=0, skipped=0, failed=0)


def a_console(terminal: bool, width: int = 80) -> Console:
    return Console(
        width=width, file=io.StringIO(), record=True, no_color=True, force_terminal=terminal, legacy_windows=False
    )


def test_in_a_narrow_terminal_the_folder_of_a_job_stands_below_it_and_is_whole() -> None:
    console = a_console(terminal=True)
    print_jobs([JOB, RUNNING], console)
    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "20260131-142501-9f3a  2026-01-31 14:25  done     1,234  100 stored, 900 reused,",
        " " * 56 + "230 unchanged, 4 failed",
        "  /pictures",
        "20260131-142501-9f3a  2026-01-31 14:25  running      ?  nothing yet",
        "  /pictures",
    ]


def test_in_a_wide_terminal_jobs_are_a_table() -> None:
    console = a_console(terminal=True, width=140)
    print_jobs([JOB, RUNNING], console)
    header, first, second = console.export_text().splitlines()
    assert header.split() == ["job", "begun", "state", "files", "outcome", "folder"]
    assert first.endswith("1,234  100 stored, 900 reused, 230 unchanged, 4 failed  /pictures")
    assert first.index("/pictures") == second.index("/pictures") == header.index("folder")


def test_in_a_pipe_a_job_is_a_line_of_fields_and_each_number_has_its_own() -> None:
    console = a_console(terminal=False)
    print_jobs([JOB, RUNNING], console)
    assert console.export_text().splitlines() == [
        "20260131-142501-9f3a\t2026-01-31 14:25\tdone\t1234\t100\t900\t230\t0\t4\t/pictures",
        "20260131-142501-9f3a\t2026-01-31 14:25\trunning\t\t0\t0\t0\t0\t0\t/pictures",
    ]


def test_in_a_pipe_a_failure_is_a_line_whatever_the_name_of_the_file() -> None:
    console = a_console(terminal=False, width=20)
    print_failures([FailedFile("file:///p/a%0Ab%09c/" + "x" * 90 + ".jpg", "decode", "it is cut\toff")], console)
    path = "/p/a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c/" + "x" * 90 + ".jpg"
    assert console.export_text() == f"decode\tit is cut off\t{path}\n"


def test_in_a_pipe_a_report_has_a_line_for_each_outcome_and_each_reason() -> None:
    report = Report("job", 1001, {"stored": 998, "failed": 3}, {"read: the file is empty": 2, "decode: x": 1})
    console = a_console(terminal=False)
    print_report(report, console, in_words=False)
    assert console.export_text().splitlines() == [
        "998\tstored\t",
        "3\tfailed\t",
        "2\tfailed\tread: the file is empty",
        "1\tfailed\tdecode: x",
    ]
    console = a_console(terminal=True)
    print_report(report, console, in_words=True)
    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "Job job, 1,001 files: 998 stored, 3 failed.",
        "files  reason",
        "    2  read: the file is empty",
        "    1  decode: x",
    ]
