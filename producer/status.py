"""How a job is, or how everything is."""

import time
from typing import Any

import redis
from rich.console import Console
from rich.text import Text

from producer.names import command, shown
from tasks.errors import WrongUse
from tasks.ledger import Ledger, jobs
from tasks.presence import faults
from tasks.queues import EMBED, FILES, POINTS, QUERIES

WAS_LEFT = {
    "abandoned": "Its producer is gone; what it had enqueued is still being finished.",
    "interrupted": "It was interrupted; what it had enqueued is still being finished.",
}


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


def print_job(status: dict[str, Any], console: Console) -> None:
    """One job in one line, and how to go on with one that was left."""
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(status["started"]))
    total = f"{status['total']:,}" if status["total"] is not None else "?"
    console.print(
        Text(
            f"{status['job']}  {status['state']}  {status['stored']:,} stored, {status['skipped']:,} unchanged, "
            f"{status['failed']:,} failed of {total}  since {started}  {status['root']}"
        ),
        soft_wrap=True,
    )
    if status["state"] in WAS_LEFT:
        sentence = f"  {WAS_LEFT[status['state']]} Go on with: {command('ingest', status['root'])}"
        console.print(Text(sentence), soft_wrap=True)


def print_overview(found: dict[str, Any], console: Console) -> None:
    """Everything in a few lines."""
    collection = found["collection"]
    model = collection["clip_model"] or "no model yet"
    console.print(Text(f"Collection {collection['name']}: {collection['points']:,} points, {model}"))
    waiting = [f"{length:,} in {queue}" for queue, length in found["queues"].items() if length]
    console.print(Text(f"Queues: {', '.join(waiting) if waiting else 'empty'}"))
    for name, sentence in sorted(found["faults"].items()):
        console.print(Text(f"{name}: {sentence}"))
    if not found["jobs"]:
        console.print("No jobs yet.")
    for status in found["jobs"]:
        print_job(status, console)
