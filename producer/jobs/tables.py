"""Jobs as text: a table of many, one in a line, and the overview of everything."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.formatting import command

WAS_LEFT = {
    "abandoned": "Its producer is gone; what it had enqueued is still being finished.",
    "interrupted": "It was interrupted; what it had enqueued is still being finished.",
}


_OUTCOMES = (("stored", "stored"), ("reused", "reused"), ("skipped", "unchanged"), ("failed", "failed"))


def jobs_table(found: Sequence[dict[str, Any]]) -> Table:
    """A row a job, as `job_status` gives it, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    # The name is what other commands want, so it is never cut.
    table.add_column("job", no_wrap=True, min_width=20)
    table.add_column("begun", no_wrap=True, min_width=16)
    table.add_column("state", no_wrap=True)
    table.add_column("files", justify="right", no_wrap=True)
    table.add_column("outcome")
    table.add_column("folder", overflow="fold")
    for job in found:
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(job["started"]))
        total = f"{job['total']:,}" if job["total"] is not None else "?"
        # Of the stored files `reused` says how many no model saw; here each file is told once.
        counts = {**job, "stored": job["stored"] - job["reused"]}
        outcome = ", ".join(f"{counts[name]:,} {word}" for name, word in _OUTCOMES if counts[name])
        table.add_row(job["job"], begun, job["state"], total, Text(outcome or "nothing yet"), Text(job["root"]))
    return table


def print_job(status: dict[str, Any], console: Console) -> None:
    """One job in one line, and how to go on with one that was left."""
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(status["started"]))
    total = f"{status['total']:,}" if status["total"] is not None else "?"
    console.print(
        Text(
            f"{status['job']}  {status['state']}  {status['stored']:,} stored, {status['skipped']:,} unchanged, "
            f"{status['failed']:,} failed of {total}  since {started}  {status['root']}"
        ),
        soft_wrap=True,
    )
    if status["state"] in WAS_LEFT:
        sentence = f"  {WAS_LEFT[status['state']]} Go on with: {command('ingest', status['root'])}"
        console.print(Text(sentence), soft_wrap=True)


def print_overview(found: dict[str, Any], console: Console) -> None:
    """Everything in a few lines."""
    collection = found["collection"]
    model = collection["clip_model"] or "no model yet"
    console.print(Text(f"Collection {collection['name']}: {collection['points']:,} points, {model}"))
    waiting = [f"{length:,} in {queue}" for queue, length in found["queues"].items() if length]
    console.print(Text(f"Queues: {', '.join(waiting) if waiting else 'empty'}"))
    for name, sentence in sorted(found["faults"].items()):
        console.print(Text(f"{name}: {sentence}"))
    if not found["jobs"]:
        console.print("No jobs yet.")
    for status in found["jobs"]:
        print_job(status, console)
