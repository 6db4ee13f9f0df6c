"""How jobs are: the one reader of the ledger, the queues and the registry, for all that shows them."""

import threading
import time
from collections import deque
from typing import Any, cast

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from producer.formatting import shown
from settings.errors import DarkroomError, WrongUse
from tasks.ledger import Ledger, jobs
from tasks.queues import COLLECTION, EMBED, FILES, INGEST, POINTS, QUERIES
from tasks.registry import faults
from tasks.rpc import ask


def job_status(client: redis.Redis, job: str) -> dict[str, Any]:
    """The facts and counts of one job; raises WrongUse for a job that Redis does not know."""
    ledger = Ledger(client, job)
    meta = ledger.meta()
    if not meta:
        raise WrongUse(f"There is no job {job}: `python -m producer status` shows the latest ones.")
    counts = ledger.counts()
    total = int(meta["total"]) if "total" in meta else None
    state = meta.get("state", "running")
    if total is not None and counts.finished >= total:
        state = "done"
    elif state == "running" and not ledger.is_held():
        state = "abandoned"
    return {
        "job": job,
        "root": shown(meta.get("root", "")),
        "state": state,
        "started": float(meta.get("started", 0)),
        "total": total,
        "stored": counts.stored,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "reused": counts.reused,
        "embedded": int(meta.get("embedded", 0)),
        "captioned": int(meta.get("captioned", 0)),
    }


def overview(client: redis.Redis, collection: dict[str, Any]) -> dict[str, Any]:
    """The collection, the queues, the workers' faults and the latest jobs."""
    pipe = client.pipeline(transaction=False)
    for queue in (FILES, EMBED, POINTS, QUERIES):
        pipe.llen(queue)
    lengths = pipe.execute()
    return {
        "collection": collection,
        "queues": dict(zip((FILES, EMBED, POINTS, QUERIES), lengths, strict=True)),
        "faults": faults(client),
        "jobs": [job_status(client, job) for job in jobs(client, 5)],
    }


QUEUES = (FILES, EMBED, POINTS, QUERIES, INGEST)
UNACKED = "unacked"
JOBS = 5
RATE_SECONDS = 10.0
PING_SECONDS = 1.0
SLOW_SECONDS = 5.0


class JobView:
    """One look after the other; what takes long (workers, the collection) is asked for by a thread of its own."""

    def __init__(self, client: redis.Redis, app: Celery, job: str | None = None) -> None:
        self._client = client
        self._app = app
        self._job = job
        self._seen: dict[str, deque[tuple[float, int]]] = {}
        self._workers: list[str] = []
        self._collection: dict[str, Any] | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._ask_slowly, name="view", daemon=True).start()

    def close(self) -> None:
        """Ask no more; a question that is under way may still be answered."""
        self._closed.set()

    def look(self) -> dict[str, Any]:
        """How everything is now; raises RedisError, and WrongUse for a job that Redis does not know."""
        pipe = self._client.pipeline(transaction=False)
        for queue in QUEUES:
            pipe.llen(queue)
        pipe.hlen(UNACKED)
        *lengths, in_work = pipe.execute()
        names = [self._job] if self._job is not None else jobs(self._client, JOBS)
        return {
            "time": time.time(),
            "collection": self._collection,
            "queues": dict(zip(QUEUES, lengths, strict=True)),
            "in_work": in_work,
            "workers": self._workers,
            "faults": faults(self._client),
            "jobs": [self._with_rate(job_status(self._client, name)) for name in names],
        }

    def _with_rate(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job with its files per second over the last seconds, and the seconds that it will still take."""
        now, finished = time.monotonic(), job["stored"] + job["failed"]
        seen = self._seen.setdefault(job["job"], deque())
        seen.append((now, finished))
        while now - seen[0][0] > RATE_SECONDS and len(seen) > 2:
            seen.popleft()
        begin, before = seen[0]
        rate = (finished - before) / (now - begin) if now > begin else 0.0
        counted = self._client.hget(f"darkroom:job:{job['job']}:meta", "counted") if job["total"] is None else None
        # Until all files are enqueued the total is what a first, quick walk found.
        total = int(cast(bytes, counted)) if counted else job["total"]
        left = (total - finished - job["skipped"]) / rate if rate and total is not None else None
        return {
            **job,
            "total": total,
            "rate": round(rate, 2),
            "seconds_left": None if left is None else round(max(0.0, left), 1),
        }

    def _ask_slowly(self) -> None:
        while not self._closed.is_set():
            try:
                answers = self._app.control.ping(timeout=PING_SECONDS)
                self._workers = sorted(name for answer in answers for name in answer)
                self._collection = ask(COLLECTION, SLOW_SECONDS)
            except (redis.RedisError, OperationalError, OSError, TimeoutError, DarkroomError):
                self._collection = None
            self._closed.wait(SLOW_SECONDS)
