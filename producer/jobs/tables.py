"""Jobs as text: a table of many, one in a line, and the overview of everything."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.formatting import brief, command
from producer.jobs.report import Report
from producer.jobs.view import Overview
from producer.records import FailedFile, Job
from tasks.outcomes import Failure
from tasks.queues import told_of_other_releases

WAS_LEFT = {
    "abandoned": "Its producer is gone; what it had enqueued is still being finished.",
    "interrupted": "It was interrupted; what it had enqueued is still being finished.",
}


def jobs_table(jobs: Sequence[Job]) -> Table:
    """A row a job, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    # The name is what other commands want, so it is never cut.
    table.add_column("job", no_wrap=True, min_width=20)
    table.add_column("begun", no_wrap=True, min_width=16)
    table.add_column("state", no_wrap=True)
    table.add_column("files", justify="right", no_wrap=True)
    table.add_column("outcome")
    table.add_column("folder", overflow="fold")
    for job in jobs:
        total = f"{job.total:,}" if job.total is not None else "?"
        # Of the stored files `reused` says how many no model saw; here each file is counted once.
        counts = {"stored": job.stored - job.reused, "reused": job.reused}
        counts |= {"unchanged": job.skipped, "failed": job.failed}
        outcome = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
        table.add_row(job.job, _minute(job.started), job.state, total, Text(outcome or "nothing yet"), Text(job.root))
    return table


def failures_table(failures: Iterable[FailedFile | Failure]) -> Table:
    """A row a failed file: its path, the stage at which it failed, and the reason."""
    table = Table("failed file", "at", "reason", box=None, pad_edge=False, header_style="bold")
    for failure in failures:
        table.add_row(Text(brief(failure.uri), overflow="fold"), failure.stage, Text(failure.reason, overflow="fold"))
    return table


def print_job(job: Job, console: Console) -> None:
    """One job in one line, and how to go on with one that was left."""
    total = f"{job.total:,}" if job.total is not None else "?"
    console.print(
        Text(
            f"{job.job}  {job.state}  {job.stored:,} stored, {job.skipped:,} unchanged, {job.failed:,} failed of "
            f"{total}  since {_minute(job.started)}  {job.root}"
        ),
        soft_wrap=True,
    )
    if job.state in WAS_LEFT:
        sentence = f"  {WAS_LEFT[job.state]} Go on with: {command('ingest', job.root)}"
        console.print(Text(sentence), soft_wrap=True)


def worker_line(worker: dict[str, Any]) -> str:
    """A living worker and what it has, in one line."""
    captions = {None: None, False: "no captions", True: f"captions by {worker['blip_model']}"}[worker["captions"]]
    parts = [worker["collection"], worker["clip_model"], captions, worker["device"] and f"on {worker['device']}"]
    return f"Worker {worker['name']}: {', '.join(part for part in parts if part)}"


def print_overview(everything: Overview, console: Console) -> None:
    """Everything in a few lines."""
    collection = everything.collection
    model = collection["clip_model"] or "no model yet"
    console.print(Text(f"Collection {collection['name']}: {collection['points']:,} points, {model}"))
    waiting = [f"{length:,} in {queue}" for queue, length in everything.queues.items() if length]
    console.print(Text(f"Queues: {', '.join(waiting) if waiting else 'empty'}"))
    for worker in everything.workers:
        console.print(Text(worker_line(worker)), soft_wrap=True)
    for name, sentence in sorted(everything.faults.items()):
        console.print(Text(f"{name}: {sentence}"))
    for sentence in told_of_other_releases(everything.other_releases):
        console.print(Text(sentence), soft_wrap=True)
    if not everything.jobs:
        console.print("No jobs yet.")
    for job in everything.jobs:
        print_job(job, console)


def print_report(report: Report, console: Console) -> None:
    """What became of the files of a job: sums in one line, then a row a reason."""
    parts = [f"{count:,} {outcome}" for outcome, count in report.outcomes.items()]
    console.print(Text(f"{report.files:,} files: {', '.join(parts) or 'none'}."), soft_wrap=True)
    if report.reasons:
        table = Table("files", "reason", box=None, pad_edge=False, header_style="bold")
        for reason, count in report.reasons.items():
            table.add_row(f"{count:,}", Text(reason, overflow="fold"))
        console.print(table)


def _minute(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
