"""Jobs as text: a table of many, one in a line, and the overview of everything."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from producer.formatting import command, counted, machine_command, readable_bytes
from producer.jobs.report import Report
from producer.jobs.running import RunningStack
from producer.jobs.view import Overview
from producer.records import FailedFile, Job
from producer.table import Cell, Column, count_cell, file_cell, print_records
from tasks.outcomes import Counts, Failure
from tasks.queues import told_of_other_releases

WAS_LEFT = {
    "abandoned": "Its producer is gone.",
    "interrupted": "It was interrupted.",
}


STYLES = {"running": "cyan", "done": "green", "interrupted": "yellow", "abandoned": "yellow"}
JOBS = (Column("job"), Column("begun"), Column("state"), Column("files", is_number=True))
JOB_COLUMNS = (*JOBS, Column("outcome"), Column("folder"))
# In a pipe each number has a field of its own.
JOB_FIELDS = (*JOBS, *(Column(name) for name in ("stored", "reused", "unchanged", "still broken", "failed", "folder")))
FAILURES = (Column("at"), Column("reason"), Column("failed file"))


def print_jobs(jobs: Sequence[Job], console: Console) -> None:
    """A record a job, in the order given."""
    if console.is_terminal:
        print_records(console, JOB_COLUMNS, ([*_beginning(job), _outcome(job), Cell(job.root)] for job in jobs))
    else:
        print_records(
            console, JOB_FIELDS, ([*_beginning(job), *map(count_cell, counts(job)), Cell(job.root)] for job in jobs)
        )


def counts(job: Job | Counts) -> tuple[int, int, int, int, int]:
    """Files stored by a model, reused, unchanged, still broken and failed: each file once."""
    return job.stored - job.reused, job.reused, job.unchanged, job.still_broken, job.failed


def outcome_text(job: Job | Counts) -> str:
    """What became of the files of a job so far: "317 stored, 5 reused"."""
    words = zip(("stored", "reused", "unchanged", "still broken", "failed"), counts(job), strict=True)
    return ", ".join(f"{count:,} {word}" for word, count in words if count) or "nothing yet"


def _beginning(job: Job) -> list[Cell]:
    state = Cell(job.state, style=STYLES.get(job.state, ""))
    return [Cell(job.job), Cell(_minute(job.started)), state, count_cell(job.total)]


def _outcome(job: Job) -> Cell:
    return Cell(outcome_text(job), style="red" if job.failed else "")


def _reason(failure: FailedFile | Failure) -> str:
    return f"still broken: {failure.reason}" if failure.still_broken else failure.reason


def print_failures(failures: Iterable[FailedFile | Failure], console: Console) -> None:
    """A record a failed file: the stage at which it failed, the reason, and its path."""
    rows = ([Cell(each.stage), Cell(_reason(each), style="red"), file_cell(each.uri)] for each in failures)
    print_records(console, FAILURES, rows)


def print_job(job: Job, console: Console) -> None:
    """One job in one line, and how to go on with one that was left."""
    total = f"{job.total:,}" if job.total is not None else "?"
    console.print(
        Text.assemble(
            f"{job.job}  ",
            (job.state, STYLES.get(job.state, "")),
            "  ",
            (outcome_text(job), "red" if job.failed else ""),
            f" of {total}  since {_minute(job.started)}  {job.root}",
        ),
        soft_wrap=True,
    )
    if job.state in WAS_LEFT:
        sentence = f"  {WAS_LEFT[job.state]} Go on with: {command('ingest', *(job.sources or [job.root]))}"
        console.print(Text(sentence), soft_wrap=True)


def worker_line(worker: dict[str, Any]) -> str:
    """A living worker and what it has, in one line."""
    captions = {None: None, False: "no captions", True: f"captions by {worker['blip_model']}"}[worker["captions"]]
    parts = [worker["collection"], worker["clip_model"], captions, worker["device"] and f"on {worker['device']}"]
    return f"Worker {worker['name']}: {', '.join(part for part in parts if part)}"


def stack_line(stack: RunningStack) -> str:
    """What runs on this machine, since when, with which models and how much memory."""
    models = stack.clip + (f", captions by {stack.blip}" if stack.blip else ", no captions")
    memory = readable_bytes(sum(stack.memory.values()))
    stays = "stays up" if stack.stays else "goes down when it is not used"
    return f"Stack: up since {_minute(stack.since)} (process {stack.pid}), {models}, {memory} of memory; it {stays}"


def left_sentences(left: Mapping[str, int]) -> Iterator[str]:
    """What lies aside, and what to do about it."""
    for job, files in left.items():
        yield (
            f"{counted(files, 'file')} of job {job} still wait: {command('resume', job)} goes on, "
            f"{machine_command('down', '--discard')} drops them"
        )


def print_overview(everything: Overview, console: Console) -> None:
    """Everything in a few lines."""
    collection = everything.collection
    model = collection["clip_model"] or "no model yet"
    waiting = [f"{length:,} in {queue}" for queue, length in everything.queues.items() if length]
    lines = [
        Text(f"Collection {collection['name']}: {counted(collection['points'], 'point')}, {model}"),
        *([Text(everything.advice, "yellow")] if everything.advice else []),
        Text(f"Queues: {', '.join(waiting) if waiting else 'empty'}"),
        *([Text(stack_line(everything.stack))] if everything.stack else []),
        *(Text(worker_line(worker)) for worker in everything.workers),
        *(Text(f"{name}: {sentence}", "yellow") for name, sentence in sorted(everything.faults.items())),
        *(Text(sentence, "yellow") for sentence in left_sentences(everything.left)),
        *map(Text, told_of_other_releases(everything.other_releases)),
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    if not everything.jobs:
        console.print("No jobs yet.")
    for job in everything.jobs:
        print_job(job, console)


def print_report(report: Report, console: Console, in_words: bool) -> None:
    """What became of the files of a job: sums in one line and a record a reason, or a record for each number."""
    reasons = [(count_cell(count), Cell(reason)) for reason, count in report.reasons.items()]
    if in_words:
        parts = [f"{count:,} {outcome}" for outcome, count in report.outcomes.items()]
        files = counted(report.files, "file")
        console.print(Text(f"Job {report.job}, {files}: {', '.join(parts) or 'none'}."), soft_wrap=True)
        print_records(console, (Column("files", is_number=True), Column("reason")), reasons)
    else:
        outcomes = [(count_cell(count), Cell(outcome)) for outcome, count in report.outcomes.items()]
        print_records(
            console,
            (Column("files"), Column("outcome"), Column("reason")),
            [
                *((count, outcome, Cell("")) for count, outcome in outcomes),
                *((count, Cell("failed"), reason) for count, reason in reasons),
            ],
        )


def _minute(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
