"""The list of jobs as a table."""

import time
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

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
