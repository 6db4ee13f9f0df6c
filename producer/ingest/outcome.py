"""How an ingest ended: what a person reads of it, and what a program gets."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from producer.formatting import command, counted
from producer.ingest.sources.exclusion import PassedOver
from producer.ingest.sources.roots import OtherRoot
from producer.jobs.tables import failures_table
from tasks.ledger import Counts, Failure

NAMED_FOLDERS = 20
NAMED_EXTENSIONS = 5


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
    passed_over: PassedOver = field(default_factory=PassedOver)
    interrupted: bool = False
    in_flight: int = 0

    @property
    def exit_code(self) -> int:
        """0 all good, 1 some files failed, 130 interrupted."""
        if self.interrupted:
            return 130
        return 1 if self.counts.failed or self.passed_over.unreadable else 0

    def to_dict(self) -> dict[str, Any]:
        """The one object that `ingest --json` prints."""
        return {
            "job": self.job,
            "root": self.root,
            "total": self.total,
            "stored": self.counts.stored,
            "failed": self.counts.failed,
            "skipped": self.counts.skipped,
            "reused": self.counts.reused,
            "seconds": round(self.seconds, 3),
            "passed_over": self.passed_over.to_dict(),
        }


def resume_command(root: Path | OtherRoot | str) -> str:
    """The command that goes on with an ingest that was left."""
    return command("ingest", str(root))


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
    for sentence in sentences(outcome.passed_over):
        console.print(Text(sentence), style="dim", soft_wrap=True)
    unreadable = outcome.passed_over.unreadable
    for folder in unreadable[:NAMED_FOLDERS]:
        _say(f"Not entered, no permission or gone: {folder}", console)
    if len(unreadable) > NAMED_FOLDERS:
        _say(f"… and {len(unreadable) - NAMED_FOLDERS:,} more folders that could not be entered.", console)
    if outcome.interrupted:
        if outcome.in_flight:
            _say(f"Interrupted with {outcome.in_flight:,} files in flight; they stay in the queue.", console)
        else:
            _say("Interrupted; every file that was enqueued is finished.", console)
        _say(f"Resume with: {resume_command(outcome.root)}", console)
    else:
        console.print(Text(f"Job {outcome.job}"), style="dim")


def sentences(passed_over: PassedOver) -> Iterator[str]:
    """What was passed over, in one sentence; nothing where there is nothing to say."""
    named = passed_over.extensions.most_common(NAMED_EXTENSIONS)
    kinds = ", ".join(f"{count:,} {extension or 'without one'}" for extension, count in named)
    total = passed_over.extensions.total()
    if others := total - sum(count for _, count in named):
        kinds += f" and {others:,} others"
    parts = [f"{counted(total, 'file')} of other extensions ({kinds})"] if total else []
    for count, what in (
        (passed_over.excluded_files, "excluded picture"),
        (passed_over.excluded_folders, "excluded folder"),
        (passed_over.linked_folders, "linked folder"),
    ):
        if count:
            parts.append(counted(count, what))
    if parts:
        yield f"Passed over: {', '.join(parts)}."


def _say(sentence: str, console: Console) -> None:
    # Soft wrap: a line broken in two by rich could not be copied as a command.
    console.print(Text(sentence), soft_wrap=True)
