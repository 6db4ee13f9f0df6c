"""How jobs are: the one reader of the ledger, the queues and the registry, for all that shows them."""

import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import redis

from producer.formatting import in_words, is_text, shown
from producer.jobs.listing import with_names
from producer.jobs.running import RunningStack, last_seen, left_aside
from producer.records import FailedFile, Job, Records
from producer.stack import Stack
from settings.errors import DarkroomError, NotFound, WrongUse
from settings.redis_errors import redis_errors
from tasks.ledger import Ledger, jobs
from tasks.queues import (
    COLLECTION,
    COLLECTION_NAME,
    EMBED,
    FILES,
    FILES_LATER,
    INGEST,
    POINTS,
    QUERIES,
    UNACKED,
    left_by_other_releases,
    role,
)
from tasks.registry import faults, workers
from tasks.rpc import ask

QUEUES = (FILES, FILES_LATER, EMBED, POINTS, QUERIES, INGEST)
JOBS = 5
MOST_JOBS = 10_000
RATE_SECONDS = 10.0
SLOW_SECONDS = 5.0


def job_status(client: redis.Redis, job: str) -> Job:
    """The facts and counts of one job; raises WrongUse for a job that Redis does not know."""
    ledger = Ledger(client, job)
    meta = ledger.meta() if is_text(job) else {}
    if not meta:
        raise NotFound(f"There is no job {job}: `python -m producer status` shows the latest ones.")
    counts = ledger.counts()
    roots = [shown(uri) for uri in meta.get("root", "").split()]
    total = int(meta["total"]) if "total" in meta else None
    state = meta.get("state", "running")
    if total is not None and counts.finished >= total:
        state = "done"
    elif state == "running" and not ledger.is_held():
        state = "abandoned"
    return Job(
        job=job,
        root=in_words(roots),
        state=state,
        started=float(meta.get("started", 0)),
        total=total,
        stored=counts.stored,
        failed=counts.failed,
        skipped=counts.skipped,
        reused=counts.reused,
        embedded=int(meta.get("embedded", 0)),
        captioned=int(meta.get("captioned", 0)),
        still_broken=counts.still_broken,
        sources=json.loads(meta["sources"]) if "sources" in meta else roots,
    )


def require_own_job(client: redis.Redis, job: str) -> None:
    """Raise WrongUse for a job that Redis does not know, and for one of another collection."""
    job_status(client, job)
    if (collection := _collection_of(client, job)) != COLLECTION_NAME:
        raise WrongUse(
            f"The job {job} belongs to the collection {collection!r}, not to {COLLECTION_NAME!r}: set "
            "qdrant.collection to that name."
        )


def cancel(client: redis.Redis, job: str) -> None:
    """Tell the producer of a job to stop it; raises WrongUse where there is no such job, or none that runs."""
    require_own_job(client, job)
    if (state := job_status(client, job).state) != "running":
        raise WrongUse(f"The job {job} does not run: it is {state}.")
    Ledger(client, job).note(cancelled=time.time())


def living(client: redis.Redis) -> list[dict[str, Any]]:
    """What each living worker of this collection has: its name, collection, models and device."""
    return [
        {
            "name": worker.node,
            "collection": worker.has.collection,
            "clip_model": worker.has.clip,
            "blip_model": worker.has.blip or None,
            "captions": None if worker.has.blip is None else bool(worker.has.blip),
            "device": worker.device or None,
        }
        for _, worker in sorted(workers(client).items())
    ]


def job_list(client: redis.Redis, limit: int) -> Records[Job]:
    """The latest jobs, the newest first."""
    return Records(job_status(client, job) for job in jobs(client, limit))


def latest_job(client: redis.Redis) -> str:
    """The latest job of this collection; raises WrongUse where there is none."""
    for job in jobs(client, MOST_JOBS):
        if _collection_of(client, job) == COLLECTION_NAME:
            return job
    raise WrongUse(f"The collection {COLLECTION_NAME!r} has no job of the last 30 days.")


def _collection_of(client: redis.Redis, job: str) -> str:
    return Ledger(client, job).meta().get("collection", COLLECTION_NAME)


def failed_files(client: redis.Redis, job: str, data: Path) -> Records[FailedFile]:
    """The failed files of a job and those that are still broken, in the order of their numbers.

    `data` is where this machine keeps the lists of jobs. Raises WrongUse for a job that Redis does not know.
    """
    job_status(client, job)
    failures = with_names(Ledger(client, job).unreadable(), data, job)
    return Records(FailedFile(failure.uri, failure.stage, failure.reason, failure.still_broken) for failure in failures)


@dataclass(frozen=True)
class Overview:
    """Everything at one moment: the collection {"name", "clip_model", "points"}, messages a queue, faults a worker.

    `stack` is the stack of this machine, None where a Redis of others is used. `left` says how many files of each job
    lie aside, `workers` what each living worker has, `other_releases` how many messages wait in queues of another
    release. `advice` is a sentence about a collection that has outgrown its home, "" for others.
    """

    collection: dict[str, Any]
    queues: dict[str, int]
    workers: list[dict[str, Any]]
    faults: dict[str, str]
    other_releases: dict[str, int]
    jobs: Records[Job]
    stack: RunningStack | None = None
    left: dict[str, int] = field(default_factory=dict)
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return {
            "collection": self.collection,
            "queues": self.queues,
            "workers": self.workers,
            "faults": self.faults,
            "other_releases": self.other_releases,
            "jobs": self.jobs.to_dicts(),
            "stack": asdict(self.stack) if self.stack else None,
            "left": self.left,
            "advice": self.advice,
        }


def overview(client: redis.Redis, collection: dict[str, Any], stack: RunningStack | None = None) -> Overview:
    """The collection, the queues, the workers' faults and the latest jobs."""
    queues, _ = _message_counts(client, (FILES, FILES_LATER, EMBED, POINTS, QUERIES))
    of_others = left_by_other_releases(client)
    return Overview(
        collection, queues, living(client), faults(client), of_others, job_list(client, JOBS), stack, left_aside(client)
    )


def _message_counts(client: redis.Redis, queues: Sequence[str]) -> tuple[dict[str, int], int]:
    """How many messages wait in each queue, and how many workers hold."""
    pipe = client.pipeline(transaction=False)
    for queue in queues:
        pipe.llen(queue)
    pipe.hlen(UNACKED)
    *lengths, held = pipe.execute()
    return dict(zip(map(role, queues), lengths, strict=True)), held


class JobView:
    """Reads everything again and again; what takes long (the collection) is asked by a thread of its own."""

    def __init__(self, client: redis.Redis, job: str | None = None, stack: Stack | None = None) -> None:
        self._client, self._stack = client, stack
        self._job = job
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        self._collection: dict[str, Any] | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._ask_collection, name="job-view", daemon=True).start()

    def close(self) -> None:
        """Ask no more; a question that is under way may still be answered."""
        self._closed.set()

    def read(self) -> dict[str, Any]:
        """How everything is now; raises RedisError, and WrongUse for a job that Redis does not know."""
        queues, in_work = _message_counts(self._client, QUEUES)
        names = [self._job] if self._job is not None else jobs(self._client, JOBS)
        return {
            "time": time.time(),
            "collection": self._collection,
            "queues": queues,
            "in_work": in_work,
            "workers": living(self._client),
            "faults": faults(self._client),
            "jobs": [self._with_rate(job_status(self._client, name)) for name in names],
        }

    def _with_rate(self, job: Job) -> dict[str, Any]:
        """The job with its files per second over the last seconds, and the seconds that it will still take."""
        now, finished = time.monotonic(), job.stored + job.failed
        samples = self._samples.setdefault(job.job, deque())
        samples.append((now, finished))
        while now - samples[0][0] > RATE_SECONDS and len(samples) > 2:
            samples.popleft()
        begin, before = samples[0]
        rate = (finished - before) / (now - begin) if now > begin else 0.0
        total = job.total
        if total is None:
            # Until all files are enqueued the total is what a first, quick walk counted.
            counted = Ledger(self._client, job.job).meta().get("counted")
            total = int(counted) if counted else None
        seconds_left = (total - finished - job.skipped) / rate if rate and total is not None else None
        return {
            **job.to_dict(),
            "total": total,
            "rate": round(rate, 2),
            "seconds_left": None if seconds_left is None else round(max(0.0, seconds_left), 1),
        }

    def _ask_collection(self) -> None:
        while not self._closed.is_set():
            try:
                known = last_seen(self._stack, self._client) if self._stack else None
                self._collection = known or ask(COLLECTION, SLOW_SECONDS)
            except redis_errors(DarkroomError):
                self._collection = None
            self._closed.wait(SLOW_SECONDS)
