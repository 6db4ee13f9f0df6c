"""The progress of a job: how far it is, whether it moves, and what it waits for when it does not."""

import time
from contextlib import suppress

import redis

from producer.ingest.estimate import estimate
from producer.ingest.reconcile import Reconciler, message_counts
from producer.ingest.window import Window
from producer.jobs.holders import Holders
from settings.redis_errors import refusal
from tasks.app import app
from tasks.ledger import Counts, Ledger
from tasks.messages import Target
from tasks.queues import FILES, POINTS, role
from tasks.registry import faults, workers
from tasks.reports import loading, speeds

READ_SECONDS = 0.1
STUCK_SECONDS = 20.0
# What workers load, and how fast they are.
REPORTS_SECONDS = 0.5


class JobProgress:
    """Reads the ledger a few times a second and drops finished files from the window."""

    def __init__(self, client: redis.Redis, ledger: Ledger, window: Window, local: bool) -> None:
        self._client = client
        self._ledger = ledger
        self._window = window
        self._local = local
        self._read = 0.0
        self._moved = time.monotonic()
        self._reconciler = Reconciler(client, ledger, window)
        self._holders = Holders(app)
        self.counts = Counts()
        self.first_stored: float | None = None
        self.broker_away_since: float | None = None
        self._broker_is = ""
        self.job_is_lost = self.is_cancelled = False
        self._reports_read = 0.0
        self._loads = self._estimate = ""

    def look(self, at_once: bool = False) -> None:
        """Read the ledger, at most every READ_SECONDS unless `at_once`; a broker that is away is noted."""
        now = time.monotonic()
        if now - self._read < READ_SECONDS and not at_once:
            return
        try:
            # In this order: whatever has left the window is in the counts.
            self._window.forget_finished()
            counts = self._ledger.counts()
            # Asked last: counts that were read before a job was lost are right.
            self.job_is_lost = not self._ledger.is_open()
            self.is_cancelled = self._ledger.is_cancelled()
            self.broker_away_since = None
        except redis.exceptions.RedisError as error:
            self.broker_away_since = self.broker_away_since or now
            self._broker_is = refusal(error) or "does not answer"
            return
        finally:
            self._read = time.monotonic()
        if self.job_is_lost:
            return
        if counts != self.counts:
            self._moved = self._read
            if counts.stored and self.first_stored is None:
                self.first_stored = self._read
        self.counts = counts

    def read_reports(self, target: Target, total: int | None) -> tuple[str, str]:
        """What the GPU workers download or load while nothing is finished, and how long the job takes; else empty."""
        now = time.monotonic()
        if now - self._reports_read > REPORTS_SECONDS and self.broker_away_since is None:
            self._reports_read = now
            with suppress(redis.exceptions.RedisError):
                has_begun = self.counts.stored or self.counts.failed
                self._loads = "" if has_begun else "; ".join(sorted(set(loading(self._client).values())))
                if has_begun and total is not None and not self._estimate:
                    self._estimate = estimate(speeds(self._client).values(), target, total - self.counts.finished)
        return self._loads, self._estimate

    @property
    def quiet_seconds(self) -> float:
        """Seconds since the counts last changed or the window was last empty."""
        if not self._window.under_way:
            self._moved = time.monotonic()
        return time.monotonic() - self._moved

    def seconds_to_first(self, begin: float) -> float | None:
        """Seconds from `begin` to the first confirmed write, None while there is none."""
        return None if self.first_stored is None else self.first_stored - begin

    def reconcile(self) -> int:
        """Publish again what the broker has lost; returns how many files that were. See `Reconciler`."""
        return self._reconciler.publish_missing(time.monotonic())

    def in_work(self) -> int:
        """How many files workers hold, or have computed and not stored yet."""
        return self._reconciler.in_work()

    def what_it_waits_for(self) -> str | None:
        """A sentence about a job that does not move, or None while it does."""
        if self.broker_away_since is not None:
            where = " (if it does not come back, see stack.log in logs below data.dir)" if self._local else ""
            since = time.monotonic() - self.broker_away_since
            return f"Redis {self._broker_is} since {since:.0f} s; waiting for it{where}"
        if self.quiet_seconds < STUCK_SECONDS:
            return None
        try:
            self._ledger.note()  # no fact, but a write
        except redis.exceptions.ResponseError as error:
            if (reason := refusal(error)) is not None:
                return f"Redis {reason}; waiting for it"
            raise
        known = faults(self._client)
        if known:
            return "; ".join(f"{name}: {sentence}" for name, sentence in sorted(known.items()))
        files, points, held = message_counts(self._client)
        there = workers(self._client).values()
        gpus = [worker.ready for worker in there if worker.name.startswith("gpu")]
        if files and not any(gpus):
            if self._local or gpus:
                return "the GPU worker is loading its models"
            return f"{files} messages wait in `{role(FILES)}` and no GPU worker is up: start `python -m workers gpu`"
        if points and not any(worker.ready for worker in there if worker.name.startswith("storage")):
            queue = role(POINTS)
            return f"{points} messages wait in `{queue}`, no storage worker is up: start `python -m workers storage`"
        counts = f"{files} queued, {held} in work, {points} to be written"
        if points:
            return (
                f"the storage worker has written nothing for {self.quiet_seconds:.0f} s ({counts}): "
                "if it lasts, see storage.log in logs below data.dir and start that worker anew"
            )
        holders = self._holders.sentence()
        return (
            f"nothing finished for {self.quiet_seconds:.0f} s ({counts}{f'; {holders}' if holders else ''}): "
            "slow models may take that long; if it lasts, see the gpu logs in logs below data.dir"
        )
