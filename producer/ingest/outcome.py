"""How an ingest ended: what a person reads of it, and what a program gets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from producer.formatting import command, counted, duration
from producer.ingest.sources.exclusion import PassedOver
from producer.jobs.tables import outcome_text, print_failures
from tasks.ledger import Counts, Failure

NAMED_FOLDERS = 20
NAMED_EXTENSIONS = 5


@dataclass
class Outcome:
    """How an ingest ended; `listed` are the first failures of `counts.failed`.

    `root` tells its roots to a person, `sources` are the names by which it can be begun again. `captions` is how the
    second job ended, which wrote the captions, where they came later.
    """

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
    sources: Sequence[str] = ()
    captions: "Outcome | None" = None

    @property
    def exit_code(self) -> int:
        """0 all good, 1 some files failed, 130 interrupted."""
        if self.interrupted:
            return 130
        own = 1 if self.counts.failed or self.passed_over.unreadable else 0
        return max(own, self.captions.exit_code) if self.captions is not None else own

    def to_dict(self) -> dict[str, Any]:
        """The one object that `ingest --json` prints."""
        captions = {} if self.captions is None else {"captions": self.captions.to_dict()}
        return {
            "job": self.job,
            "root": self.root,
            "sources": list(self.sources),
            "total": self.total,
            "stored": self.counts.stored,
            "failed": self.counts.failed,
            "skipped": self.counts.skipped,
            "reused": self.counts.reused,
            "still_broken": self.counts.still_broken,
            "seconds": round(self.seconds, 3),
            "passed_over": self.passed_over.to_dict(),
            **captions,
        }


def resume_command(names: Sequence[str]) -> str:
    """The command that goes on with an ingest that was left."""
    return command("ingest", *names)


def print_summary(outcome: Outcome, console: Console) -> None:
    """Counts and time, failures by name and reason (the rest by a command that is named), and how to go on."""
    counts = outcome.counts
    _say(f"{_ended(outcome)}.", console)
    if outcome.captions is not None:
        _say(f"Captions: {_ended(outcome.captions)} (job {outcome.captions.job}).", console)
    if counts.still_broken:
        lists, tries = command("errors", outcome.job), command("retry", outcome.job)
        _say(
            f"Still broken is what failed and has not changed since: {lists} lists it, {tries} tries it again.", console
        )
    if outcome.listed:
        print_failures(outcome.listed, console)
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
    last = outcome.captions or outcome
    if last.interrupted:
        if last.in_flight:
            _say(f"Interrupted; {counted(last.in_flight, 'file')} went back, for the next time.", console)
        else:
            _say("Interrupted; every file that was enqueued is finished.", console)
        _say(f"Resume with: {resume_command(outcome.sources)}", console)
    else:
        console.print(Text(f"Job {outcome.job}"), style="dim")
        if counts.stored or counts.skipped:
            console.print(Text(f"Find pictures: {command('search', 'WORDS')}"), style="dim", soft_wrap=True)


def _ended(outcome: Outcome) -> str:
    time = f"{outcome.seconds:.1f} s" if outcome.seconds < 60 else duration(outcome.seconds)
    return f"{outcome_text(outcome.counts)}: {counted(outcome.total, 'file')} in {time}"


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
