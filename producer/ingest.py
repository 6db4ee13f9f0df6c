"""One ingest from the folder to the last confirmed write."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from redis.exceptions import RedisError
from rich.console import Console

from producer.interrupt import Interrupts
from producer.job_events import JobEvents
from producer.names import command
from producer.patience import (
    BROKER_SECONDS,
    collection_facts,
    insist,
    raise_faults,
    revive_if_ended,
    wait_for,
)
from producer.plan import Numbered, plan
from producer.progress import ProgressView
from producer.scan import PICTURE_EXTENSIONS, FileRef, check_root, scan, uri_of
from producer.stack import Stack, attached
from producer.watch import Watch
from producer.window import Window
from settings import Settings
from tasks.app import app, redis_client
from tasks.errors import ServiceMissing, WrongUse
from tasks.ledger import Counts, Failure, Ledger, new_job_id
from tasks.rpc import Question

ANSWER_SECONDS = 120.0
LISTED_FAILURES = 20
STEP_SECONDS = 0.02
T = TypeVar("T")


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


def resume_command(root: Path | str) -> str:
    """The command that goes on with an ingest that was left."""
    return command("ingest", str(root))


def ingest(folder: Path, settings: Settings, console: Console, report: Callable[[Outcome], None]) -> Outcome:
    """Ingest a folder and wait for the last confirmed write; `report` is called then, before the stack goes down.

    Raises WrongUse for a folder that cannot be ingested, ServiceMissing when a part of the stack cannot come up.
    """
    begin = time.monotonic()
    root = check_root(folder)
    if next(scan(root), None) is None:
        raise WrongUse(
            f"There is no picture in {root}: looked for {', '.join(sorted(PICTURE_EXTENSIONS))} in it and below it."
        )
    with attached(settings) as stack:
        collection_facts(stack)
        # Only now: before there is a job, Ctrl-C simply ends the command.
        with Interrupts() as interrupts:
            outcome = _Ingest(root, settings, console, stack, interrupts, begin).run()
        report(outcome)
    return outcome


class _Ingest:
    def __init__(
        self, root: Path, settings: Settings, console: Console, stack: Stack, interrupts: Interrupts, begin: float
    ) -> None:
        self.root = root
        self.settings = settings
        self.stack = stack
        self.interrupts = interrupts
        self.begin = begin
        self.client = redis_client(settings)
        self.ledger = Ledger(self.client, new_job_id())
        uri = uri_of(bytes(root))
        self.window = Window(app, self.ledger, uri, settings.ingest.window, settings.ingest.files_per_task)
        self.watch = Watch(self.client, self.ledger, self.window, stack.is_local)
        self.view = ProgressView(console)
        self._insist(lambda: self.ledger.open(uri, collection=settings.qdrant.collection))
        self.events = JobEvents(app, self.ledger.job, str(root))
        self.unreadable: list[str] = []
        self.counted: int | None = None
        self.numbered = 0
        self._told_to_stop = False
        self._all_enqueued = False
        self._checked_faults = time.monotonic()

    def run(self) -> Outcome:
        threading.Thread(target=self._count, name="count", daemon=True).start()
        with self.view:
            self._enqueue_all()
            while self.window.under_way and not self.interrupts.leaving:
                self._step()
            self.watch.look(at_once=True)
            while self.watch.broker_away_since is not None and not self.interrupts.leaving:
                self._step()
        return self._outcome()

    def _enqueue_all(self) -> None:
        for planned in plan(self._scan(), self.settings, self._answer):
            self._insist(partial(self.ledger.skipped, planned.unchanged))
            self._look()
            waiting: list[Numbered] = planned.work
            while waiting and not self.interrupts.stopping:
                taken, waiting = waiting[: self.window.room], waiting[self.window.room :]
                if taken:
                    self._publish(taken)
                self._step()
            if self.interrupts.stopping:
                return
        if self.interrupts.stopping:
            return  # it may have cut the scan short before there was anything to plan
        self._all_enqueued = True
        self.counted = self.numbered
        self._insist(lambda: self.ledger.note(total=self.numbered))

    def _scan(self) -> Iterator[FileRef]:
        for file in scan(self.root, self.unreadable):
            if self.interrupts.stopping:
                return
            self.numbered += 1
            yield file

    def _answer(self, question: Question) -> bytes:
        answer: bytes = wait_for(question, self.stack, ANSWER_SECONDS, "storage", lambda: self.interrupts.leaving)
        return answer

    def _publish(self, files: list[Numbered]) -> None:
        # Part of the batch may have arrived when this fails; publishing a file twice does no harm.
        self._insist(lambda: self.window.enqueue(files))

    def _insist(self, work: Callable[[], T]) -> T:
        return insist(work, self.stack, self.view.say)

    def _step(self) -> None:
        time.sleep(STEP_SECONDS)
        self._look()

    def _look(self) -> None:
        self.watch.look()
        waits_for = self._health()
        self.view.show(self.watch.counts, self.counted, waits_for)
        self.events.progress(self.view.text)
        if self.interrupts.stopping and not self._told_to_stop:
            self._told_to_stop = True
            self.view.say(
                f"Stopped enqueuing. {len(self.window.under_way):,} files in flight are being finished; press Ctrl-C "
                f"again to leave them in the queue. Resume with: {resume_command(self.root)}"
            )

    def _health(self) -> str | None:
        check = time.monotonic() - self._checked_faults > 0.5
        if check:
            self._checked_faults = time.monotonic()
            revive_if_ended(self.stack, self.view.say)
        away = self.watch.broker_away_since
        if away is not None:
            if time.monotonic() - away > BROKER_SECONDS:
                raise ServiceMissing(
                    f"Redis is away for {BROKER_SECONDS:.0f} s. What was stored is stored; when it is back: "
                    f"{resume_command(self.root)}"
                )
            return self.watch.what_it_waits_for()
        try:
            if self.stack.is_local and check:
                raise_faults(self.stack, "gpu")
            again = self.watch.reconcile()
            if again:
                self.view.say(f"Published {again:,} files again that a killed process had taken with it.")
            return self.watch.what_it_waits_for()
        except RedisError:
            return None

    def _count(self) -> None:
        # A second, quick walk beside the first: it tells the total early, and so the time left.
        counted = sum(1 for _ in scan(self.root))
        if self.counted is None:
            self.counted = counted

    def _outcome(self) -> Outcome:
        left = len(self.window.under_way)
        interrupted = self.interrupts.stopping and (left > 0 or not self._all_enqueued)
        state = "interrupted" if interrupted else "done"
        self._insist(lambda: self.ledger.note(state=state, total=self.numbered, finished=time.time()))
        self.view.show(self.watch.counts, self.numbered, None)
        self.events.end(self.view.text, time.monotonic() - self.begin)
        if left:
            self.stack.leave_now()
        first = self.watch.first_stored
        return Outcome(
            job=self.ledger.job,
            root=str(self.root),
            total=self.numbered,
            counts=self.watch.counts,
            seconds=time.monotonic() - self.begin,
            first_stored_seconds=first - self.begin if first is not None else None,
            listed=self._insist(lambda: self.ledger.failures(LISTED_FAILURES)) if self.watch.counts.failed else [],
            unreadable=self.unreadable,
            interrupted=interrupted,
            in_flight=left,
        )
