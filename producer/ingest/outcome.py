"""How an ingest ended: what a person reads of it, and what a program gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.formatting import brief, command
from producer.ingest.roots import OtherRoot
from tasks.ledger import Counts, Failure


@dataclass
class Outcome:
    """How an ingest ended; `listed` are the first failures of `counts.failed`."""

    job: str
    root: str
    total: int
    counts: Counts
    seconds: float
    first_stored_seconds: float | None
    listed: list[Failure]
    unreadable: list[str] = field(default_factory=list)
    interrupted: bool = False
    in_flight: int = 0

    @property
    def exit_code(self) -> int:
        """0 all good, 1 some files failed, 130 interrupted."""
        if self.interrupted:
            return 130
        return 1 if self.counts.failed or self.unreadable else 0


def resume_command(root: Path | OtherRoot | str) -> str:
    """The command that goes on with an ingest that was left."""
    return command("ingest", str(root))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The one object that `ingest --json` prints."""
    counts = outcome.counts
    return {
        "job": outcome.job,
        "root": outcome.root,
        "total": outcome.total,
        "stored": counts.stored,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "reused": counts.reused,
        "seconds": round(outcome.seconds, 3),
    }


def print_summary(outcome: Outcome, console: Console) -> None:
    """Counts, times, and every failure by name and reason: the first ones here, the rest by a command that is named."""
    counts = outcome.counts
    line = f"{counts.stored:,} stored"
    if counts.reused:
        line += f" ({counts.reused:,} of them reused, without a model)"
    line += (
        f", {counts.skipped:,} unchanged, {counts.failed:,} failed: {outcome.total:,} files in {outcome.seconds:.1f} s"
    )
    if outcome.first_stored_seconds is not None:
        line += f" (first one stored after {outcome.first_stored_seconds:.1f} s, start-up included)"
    _say(line + ".", console)
    if outcome.listed:
        console.print(failures_table(outcome.listed))
    if counts.failed > len(outcome.listed):
        more = counts.failed - len(outcome.listed)
        _say(f"{more:,} more failed: {command('errors', outcome.job)}", console)
    for folder in outcome.unreadable[:20]:
        _say(f"Not entered, no permission or gone: {folder}", console)
    if len(outcome.unreadable) > 20:
        _say(f"… and {len(outcome.unreadable) - 20:,} more folders that could not be entered.", console)
    if outcome.interrupted:
        if outcome.in_flight:
            _say(f"Interrupted with {outcome.in_flight:,} files in flight; they stay in the queue.", console)
        else:
            _say("Interrupted; every file that was enqueued is finished.", console)
        _say(f"Resume with: {resume_command(outcome.root)}", console)
    else:
        console.print(Text(f"Job {outcome.job}"), style="dim")


def failures_table(failures: Sequence[Failure]) -> Table:
    """A row a failed file: its path, the stage at which it failed, and the reason."""
    table = Table("failed file", "at", "reason", box=None, pad_edge=False, header_style="bold")
    for failure in failures:
        table.add_row(Text(brief(failure.uri), overflow="fold"), failure.stage, Text(failure.reason, overflow="fold"))
    return table


def _say(sentence: str, console: Console) -> None:
    # Soft wrap: a line broken in two by rich could not be copied as a command.
    console.print(Text(sentence), soft_wrap=True)
