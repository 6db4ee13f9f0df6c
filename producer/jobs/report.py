"""What became of every file of a job: a row a file, told from the ledger, the list of its files and the collection."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from producer.jobs.listing import listed_uris
from producer.jobs.view import require_own_job
from producer.output_file import FileKind, begins_with, replacing
from producer.stack import Stack
from producer.waiting import wait_for
from settings import Settings
from settings.command_line import while_somebody_reads
from settings.plain_text import csv_cell
from tasks.broker import redis_client
from tasks.ledger import Ledger
from tasks.queues import FACTS
from tasks.rpc import Question

ANSWER_SECONDS = 120.0
CHUNK = 1000
COLUMNS = ("uri", "outcome", "reason", "caption")
REPORT_FILE = FileKind((".csv",), begins_with(",".join(COLUMNS).encode()))


@dataclass(frozen=True)
class Row:
    """One file of a job; `outcome` is stored, reused, skipped, still_broken, failed or unfinished."""

    uri: str
    outcome: str
    reason: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Report:
    """What became of the files of a job: files an outcome, and files a reason, the most frequent first."""

    job: str
    files: int
    outcomes: dict[str, int]
    reasons: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def report(job: str, target: str | None, settings: Settings, stack: Stack) -> Report:
    """Write the rows of a job to `target` as CSV, "-" for the standard output, None for nowhere; returns the sums.

    Raises WrongUse for an unknown job, for one that another machine has listed, and for a `target` that cannot be
    written.
    """
    client = redis_client(settings)
    require_own_job(client, job)
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def counted(rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            outcomes[row.outcome] += 1
            if row.reason:
                reasons[row.reason] += 1
            yield row

    rows = counted(rows_of(Ledger(client, job), stack, with_captions=target is not None))
    if target is None:
        for _ in rows:
            pass
    elif target == "-":
        with while_somebody_reads():
            _write(rows, sys.stdout)
    else:
        with replacing(Path(target), REPORT_FILE) as path, path.open("w", newline="", encoding="utf-8") as file:
            _write(rows, file)
    return Report(job, outcomes.total(), dict(outcomes.most_common()), dict(reasons.most_common(20)))


def rows_of(ledger: Ledger, stack: Stack, with_captions: bool) -> Iterator[Row]:
    """The rows of a job in the order of its files; captions are those that the collection holds now."""
    uris = enumerate(listed_uris(stack.local.data, ledger.job))
    bits = {name: ledger.bitmap(name) for name in ("reused", "stored", "still_broken", "skipped", "failed")}
    reasons = {failure.number: f"{failure.stage}: {failure.reason}" for failure in ledger.unreadable()}
    while chunk := list(islice(uris, CHUNK)):
        rows = [Row(uri, _outcome(bits, number), reasons.get(number, "")) for number, uri in chunk]
        yield from _with_captions(rows, stack) if with_captions else rows


def _outcome(bits: dict[str, bytes], number: int) -> str:
    place, mask = number // 8, 128 >> number % 8
    return next((name for name, row in bits.items() if place < len(row) and row[place] & mask), "unfinished")


def _with_captions(rows: list[Row], stack: Stack) -> Iterator[Row]:
    held = [row.uri for row in rows if row.outcome in ("stored", "reused", "skipped")]
    question = Question(FACTS, uris=held, fields=["caption"])
    facts = dict(zip(held, wait_for(question, stack, ANSWER_SECONDS, "storage"), strict=True))
    for row in rows:
        caption = (facts.get(row.uri) or {}).get("caption") or ""
        yield Row(row.uri, row.outcome, row.reason, caption)


def _write(rows: Iterable[Row], file: Any) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(csv_cell, (row.uri, row.outcome, row.reason, row.caption)) for row in rows)
