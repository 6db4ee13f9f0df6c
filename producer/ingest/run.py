"""One job under way: numbered, planned, enqueued and watched until the last confirmed write."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TypeVar

from redis.exceptions import RedisError
from rich.console import Console

from producer.formatting import in_words
from producer.ingest.early_end import record_is_lost, redis_forgets, redis_is_away
from producer.ingest.interrupts import Interrupts
from producer.ingest.job_progress import JobProgress
from producer.ingest.open_ledger import open_ledger
from producer.ingest.outcome import Outcome, resume_command
from producer.ingest.plan import Numbered, plan
from producer.ingest.progress_bar import ProgressBar
from producer.ingest.sources.roots import Source, root_uri
from producer.ingest.sources.scan import FileRef
from producer.ingest.stopping import STOP_SECONDS, Stopping, undone_on_error
from producer.ingest.window import Window, files_per_task
from producer.jobs.events import JobEvents
from producer.jobs.lease import JobLease
from producer.jobs.listing import JobListing, listed_uris
from producer.stack import Stack
from producer.targets import require_models, target_here
from producer.waiting import BROKER_SECONDS, raise_faults, restart_if_ended, wait_for, wait_through, with_retries
from settings import Settings
from tasks.app import app
from tasks.broken_files import BrokenFile, BrokenFiles, Seen
from tasks.broker import redis_client
from tasks.ledger import Counts
from tasks.rpc import Question

ANSWER_SECONDS = 120.0
LISTED_FAILURES = 20
STEP_SECONDS = 0.02
RECOUNTS = 3
MODELS_SECONDS = 5.0
T = TypeVar("T")


class IngestRun:
    """One job: the files of its sources, numbered, planned, enqueued and watched until the last confirmed write.

    `held` is the CLIP model of the collection; `names` are those of the sources, by default of their roots; `captions`
    says if any are written, by default the settings do; one for `later` lets others go first. See `require_models`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: Settings,
        console: Console,
        stack: Stack,
        interrupts: Interrupts,
        begin: float,
        held: str | None = None,
        names: Sequence[str] = (),
        captions: bool | None = None,
        later: bool = False,
    ) -> None:
        self.sources, self.settings, self.stack = sources, settings, stack
        roots = list(dict.fromkeys(source.root for source in sources))
        self.names = list(names) or [str(root) for root in roots]
        self.interrupts, self.begin, self.client = interrupts, begin, redis_client(settings)
        self.root = in_words([str(root) for root in roots])
        self.bar = ProgressBar(console, "captions" if later else "ingest")
        uris = [root_uri(root) for root in roots]
        # Before there is a job: what nobody is there for is not begun.
        self.target = target_here(settings, stack, held, captions)
        require_models(self.target, stack)
        self.ledger = open_ledger(self.client, uris, self.names, stack, self.bar.say)
        size, per_task = settings.ingest.window, files_per_task(settings, stack)
        self.window = Window(self.ledger, self.target, uris[0], size, per_task, later)
        self.progress = JobProgress(self.client, self.ledger, self.window, stack.is_local)
        self.events = JobEvents(app, self.ledger.job, self.root)
        self.listing = JobListing(stack.local.data, self.ledger.job)
        self.counted: int | None = None
        self.numbered, self._all_enqueued = 0, False
        self._stopping = Stopping(interrupts, self.ledger, self.window, self.progress)
        self._checked_faults = self._checked_models = time.monotonic()

    def run(self) -> Outcome:
        """Bring the job to its end, or to where Ctrl-C leaves it."""
        counts = [source.count for source in self.sources if source.count is not None]
        if len(counts) == len(self.sources):
            threading.Thread(target=self._count, args=(counts,), name="count", daemon=True).start()
        with JobLease(self.ledger), self.events, undone_on_error(self.ledger, self.window, self.listing):
            with self.bar:
                self._enqueue_all()
                self._finish_window()
                self._finish_uncounted()
            return self._outcome()

    def _finish_window(self) -> None:
        """Follow the job until nothing is under way and the ledger was read afterwards."""
        while self.window.under_way and not self._stopping.over:
            self._step()
        self.progress.look(at_once=True)
        self._check_job()
        while self.progress.broker_away_since is not None and not self._stopping.over:
            self._step()

    def _finish_uncounted(self) -> None:
        """Publish the files again that the ledger does not count any more: total = stored + failed + skipped.

        A Redis that fails over, or drops keys when it is full, may forget bits that this producer has seen. Raises
        ServiceMissing where the ledger forgets again and again, or where nobody knows the names of the files.
        """
        for _ in range(RECOUNTS):
            if self.interrupts.stopping or self.progress.counts.finished >= self.numbered:
                return
            self.listing.flush()
            lost = set(self._insist(lambda: list(self.ledger.without_end(self.numbered))))
            self.bar.say(f"Redis has forgotten how {len(lost):,} files ended; publishing them again.")
            uris = enumerate(listed_uris(self.stack.local.data, self.ledger.job))
            work = iter([Numbered(number, FileRef(uri, -1, -1)) for number, uri in uris if number in lost])
            while (part := list(islice(work, self.window.room))) and not self.interrupts.stopping:
                self._insist(partial(self.window.enqueue, part))
                self._finish_window()
        if self.progress.counts.finished < self.numbered and not self.interrupts.stopping:
            raise redis_forgets(self.names, self.progress.counts.finished, self.numbered)

    def _enqueue_all(self) -> None:
        for planned in plan(self._scan(), self.target, self._answer, self._insist, self._broken):
            self.listing.flush()
            self._insist(partial(self.ledger.skipped, planned.unchanged, planned.still_broken))
            self._look()
            waiting: list[Numbered] = planned.work
            while waiting and not self.interrupts.stopping:
                batch, waiting = waiting[: self.window.room], waiting[self.window.room :]
                if batch:
                    # Part of it may have arrived when this fails; publishing a file twice does no harm.
                    self._insist(partial(self.window.enqueue, batch))
                self._step()
            if self.interrupts.stopping:
                return
        if self.interrupts.stopping:  # it may have cut the scan short before there was anything to plan
            return
        self._all_enqueued = True
        self.counted = self.numbered
        self._insist(lambda: self.ledger.note(total=self.numbered))

    def _scan(self) -> Iterator[FileRef]:
        for source in self.sources:
            self.window.begin_root(self.numbered, root_uri(source.root))
            for file in source.files():
                if self.interrupts.stopping:
                    return
                self.numbered += 1
                self.listing.add(file.uri)
                yield file

    def _broken(self, files: Seen) -> list[BrokenFile | None]:
        return self._insist(lambda: BrokenFiles(self.client).unchanged(files))

    def _answer(self, question: Question) -> bytes:
        leaving = partial(getattr, self.interrupts, "leaving")
        wait = partial(wait_for, question, self.stack, ANSWER_SECONDS, "storage", leaving)
        if not (self.window.under_way or self.progress.counts.finished):
            return bytes(wait())
        # A job that is under way also waits for a storage worker that is started anew, or that waits itself.
        patient = partial(wait, absent_seconds=ANSWER_SECONDS)
        return bytes(wait_through(question, patient, self.bar.say, leaving))

    def _insist(self, work: Callable[[], T]) -> T:
        return with_retries(work, self.stack, self.bar.say, self._moved)

    def _moved(self) -> Counts:
        """How far the job is: workers go on while this command waits for room in Redis."""
        self.progress.look()
        self.bar.show(self.progress.counts, self.counted, None)
        return self.progress.counts

    def _step(self) -> None:
        time.sleep(STEP_SECONDS)
        self._look()

    def _look(self) -> None:
        self.progress.look()
        self._check_job()
        loads, estimate = self.progress.read_reports(self.target, self.counted)
        self.bar.show(self.progress.counts, self.counted, self._health(), loads, estimate)
        self.events.progress(self.bar.text)
        if self._stopping.begins():
            self.bar.say(
                "Stopping: nothing more is begun, and what is in a model is finished, which takes at most "
                f"{STOP_SECONDS:g} s. Ctrl-C again leaves at once. Resume with: {resume_command(self.names)}"
            )

    def _check_job(self) -> None:
        if self.progress.job_is_lost:
            raise record_is_lost(self.names)

    def _health(self) -> str | None:
        if check := time.monotonic() - self._checked_faults > 0.5:
            self._checked_faults = time.monotonic()
            restart_if_ended(self.stack, self.bar.say)
        if (away := self.progress.broker_away_since) is not None:
            if time.monotonic() - away > BROKER_SECONDS:
                raise redis_is_away(self.names, BROKER_SECONDS)
            return self.progress.what_it_waits_for()
        try:
            if not self.interrupts.stopping and (again := self.progress.reconcile()):
                self.bar.say(f"Published {again:,} files again that a killed process had taken with it.")
            waits_for = self.progress.what_it_waits_for()
            if check and time.monotonic() - self._checked_models > MODELS_SECONDS:
                self._checked_models = time.monotonic()
                require_models(self.target, self.stack)
            # Before it is shown: what ends the command is said once, as its error.
            if self.stack.is_local and (check or waits_for):
                raise_faults(self.stack, "gpu")
            return waits_for
        except RedisError:
            return None

    def _count(self, counts: Sequence[Callable[[], int]]) -> None:
        # A second, quick walk beside the first: it tells the total early, and so the time left.
        counted = sum(count() for count in counts)
        if self.counted is None:
            self.counted = counted
            with suppress(RedisError):  # only for those who look on
                self.ledger.note(counted=counted)

    def _outcome(self) -> Outcome:
        self.listing.close()
        left = len(self.window.under_way)
        interrupted = self.interrupts.stopping and (left > 0 or not self._all_enqueued)
        facts = {"state": "interrupted" if interrupted else "done", "total": self.numbered, "finished": time.time()}
        self._insist(lambda: self.ledger.note(**facts))
        self.bar.show(self.progress.counts, self.numbered, None)
        self.events.end(self.bar.text, time.monotonic() - self.begin, interrupted)
        return Outcome(
            job=self.ledger.job,
            root=self.root,
            sources=self.names,
            total=self.numbered,
            counts=self.progress.counts,
            seconds=time.monotonic() - self.begin,
            first_stored_seconds=self.progress.seconds_to_first(self.begin),
            listed=self._insist(lambda: self.ledger.failures(LISTED_FAILURES)) if self.progress.counts.failed else [],
            passed_over=self.sources[0].passed_over,
            interrupted=interrupted,
            in_flight=left,
        )
