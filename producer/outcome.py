"""How an ingest ended."""

from dataclasses import dataclass, field
from pathlib import Path

from producer.names import command
from producer.roots import OtherRoot
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
