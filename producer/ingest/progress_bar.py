"""The progress of an ingest on the terminal: a bar where there is one, a line now and then elsewhere."""

import re
import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from producer.formatting import duration
from tasks.ledger import Counts

RATE_SECONDS = 10.0
LINE_SECONDS = 10.0
REPEAT_SECONDS = 30.0
_NUMBERS = re.compile(r"\d+")


class ProgressBar:
    """Shows confirmed writes only: what is decoded or embedded does not count until Qdrant has it."""

    def __init__(self, console: Console, work: str = "ingest") -> None:
        self._console = console
        self._work = work
        self._bar = Progress(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("starting", total=None, counts="", left="")
        self._seen: deque[tuple[float, int]] = deque()
        self._line = time.monotonic()
        self._said = ""
        self._said_at = 0.0
        self._has_estimated = False
        self.text = "starting"

    def __enter__(self) -> "ProgressBar":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(
        self, counts: Counts, total: int | None, waits_for: str | None, loads: str = "", estimate: str = ""
    ) -> None:
        """Draw the state of the job; `total` is None until the folder is counted.

        `loads` is what its workers download or load, `estimate` how long it takes: one line, once, for who looks on.
        """
        rate = self._rate(counts.stored + counts.failed)
        parts = [f"{counts.stored:,} stored"]
        if counts.unchanged:
            parts.append(f"{counts.unchanged:,} unchanged")
        if counts.still_broken:
            parts.append(f"{counts.still_broken:,} still broken")
        if counts.failed:
            parts.append(f"{counts.failed:,} failed")
        if rate:
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s")
        left = ""
        if total is not None and rate:
            left = f"{duration((total - counts.finished) / rate)} left"
        if loads:
            parts.append(loads)
        text = " · ".join(parts)
        if total:
            whole = f"{100 * counts.finished // total} % · {counts.finished:,}/{total:,} · {text}"
            self.text = f"{whole} · {left}" if left else whole
        self._bar.update(
            self._task,
            description="waiting" if waits_for else self._work,
            total=total,
            completed=counts.finished,
            counts=f"{counts.finished:,}/{total:,} · {text}" if total is not None else text,
            left=left,
        )
        self._say_once(waits_for or "")
        if estimate and not self._has_estimated and self._console.is_terminal:
            self._has_estimated = True
            self.say(estimate)
        if not self._console.is_terminal and time.monotonic() - self._line > LINE_SECONDS:
            self._line = time.monotonic()
            self._console.print(f"{counts.finished}/{total if total is not None else '?'} · {text}", highlight=False)

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar; it stays one line, so that a command in it can be copied."""
        self._console.print(Text(sentence), soft_wrap=True)

    def _say_once(self, sentence: str) -> None:
        # Seconds and counts in it change all the time; with new numbers alone it is news only now and then.
        same = _NUMBERS.sub("", sentence) == _NUMBERS.sub("", self._said)
        if same and (sentence == self._said or time.monotonic() - self._said_at < REPEAT_SECONDS):
            return
        self._said, self._said_at = sentence, time.monotonic()
        if sentence:
            self.say(sentence)

    def _rate(self, finished: int) -> float:
        now = time.monotonic()
        if not finished:
            # While models load nothing can be finished; those seconds say nothing about the rate.
            self._seen.clear()
        self._seen.append((now, finished))
        while now - self._seen[0][0] > RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        begin, before = self._seen[0]
        return (finished - before) / (now - begin) if now - begin > 0.5 else 0.0
