"""One ingest from its sources to the last confirmed write, and one of the files that failed in another."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import redis
from rich.console import Console
from rich.text import Text

from pictures.uris import path_of
from producer.ingest.interrupts import Interrupts
from producer.ingest.outcome import Outcome
from producer.ingest.rebuild import rebuild_collection
from producer.ingest.run import IngestRun
from producer.ingest.sources.exclusion import PassedOver
from producer.ingest.sources.named_sources import lasting_name, sources_of
from producer.ingest.sources.roots import OtherRoot, Source, root_uri
from producer.ingest.sources.scan import FileRef, file_ref
from producer.ingest.window import devices_of, withdraw
from producer.jobs.lease import is_left
from producer.jobs.listing import with_names
from producer.jobs.running import left_aside
from producer.jobs.tables import WAS_LEFT, outcome_text
from producer.jobs.view import job_status, require_own_job
from producer.records import Job
from producer.stack import Stack
from producer.waiting import collection_facts
from settings import Settings
from settings.embedder import DEFAULT
from tasks.broken_files import BrokenFiles
from tasks.broker import redis_client
from tasks.ledger import Ledger, jobs

# When captions are written: with the embeddings, in a second job behind them, or not at all.
AUTO = "auto"
CAPTIONS = ("now", "later", "never")


def ingest(
    sources: Sequence[Source],
    settings: Settings,
    stack: Stack,
    console: Console,
    begin: float,
    rebuild: bool = False,
    names: Sequence[str] = (),
    captions: bool | None = None,
    later: bool = False,
) -> Outcome:
    """Ingest sources as one job and wait for the last confirmed write; `begin` is when the command began.

    `begin` is by time.monotonic(); `names` is how the person named the sources, to go on with the job later. With
    `rebuild` a collection of another CLIP model is made anew first; `captions` says whether any are written, by default
    as the settings do; a job whose captions come `later` lets the files of all others go first. Raises ServiceMissing
    when a part of the stack cannot come up.
    """
    facts = collection_facts(stack)
    _drop_left(redis_client(settings), {root_uri(source.root) for source in sources})
    held = facts["clip_model"] if not rebuild else None
    if settings.models.is_auto and held == settings.models.clip != DEFAULT:
        console.print(Text(_goes_on(settings.qdrant.collection, held)), style="dim", soft_wrap=True)
    if rebuild:
        rebuild_collection(facts, [source.root for source in sources], settings, stack, console)
    # Only now: before there is a job, Ctrl-C simply ends the command.
    with Interrupts() as interrupts:
        lasting = list(map(lasting_name, names))
        return IngestRun(sources, settings, console, stack, interrupts, begin, held, lasting, captions, later).run()


def when_captions(settings: Settings, stack: Stack) -> str:
    """One of CAPTIONS: what `ingest.captions` says, and for "auto" by the device of the workers.

    On a CPU a caption takes some twenty times as long as an embedding, so there they come later; a GPU writes them now.
    Where no worker says what it computes on they come now: that is one job, and nothing is lost by it.
    """
    wanted = settings.ingest.captions
    if wanted != AUTO:
        return wanted
    if not (settings.models.captions or settings.models.ocr):
        return "now"
    return "later" if devices_of(stack) == {"cpu"} else "now"


def _goes_on(collection: str, embedder: str) -> str:
    return (
        f"The collection {collection!r} was made with {embedder} and goes on with it. A new one gets {DEFAULT}; to "
        "change this one over, name that in models.clip and ingest with --rebuild (docs/models.md)."
    )


def ingest_then_caption(
    names: Sequence[str], settings: Settings, stack: Stack, console: Console, begin: float, rebuild: bool = False
) -> Outcome:
    """Embed and store all pictures as one job, then caption them as a second one, unless Ctrl-C has ended the first."""
    first = ingest(sources_of(names, settings), settings, stack, console, begin, rebuild, names, captions=False)
    if not (settings.models.captions or settings.models.ocr) or first.interrupted:
        return first
    if first.counts.stored:
        console.print(
            Text(
                f"{outcome_text(first.counts)}. All that is stored can be searched now; the captions follow, and "
                "Ctrl-C leaves them to the next ingest."
            ),
            soft_wrap=True,
        )
    again = sources_of(names, settings)
    then = ingest(again, settings, stack, console, time.monotonic(), names=names, captions=True, later=True)
    return replace(first, captions=then)


def retry(job: str, settings: Settings, stack: Stack, console: Console, begin: float) -> Outcome | None:
    """Ingest the files again that failed in `job` or were still broken; None where there are none.

    Raises WrongUse for an unknown job.
    """
    client = redis_client(settings)
    require_own_job(client, job)
    ledger = Ledger(client, job)
    failures = with_names(ledger.unreadable(), stack.local.data, job)
    uris = [failure.uri for failure in failures if "://" in failure.uri]
    if not uris:
        return None

    BrokenFiles(client).forget(uris)
    roots = ledger.meta().get("root", "").split()
    sources = [
        _source_again(root, list(again)) for root, again in groupby(uris, key=lambda uri: _root_above(uri, roots))
    ]
    return ingest(sources, settings, stack, console, begin)


def resumable(job: str | None, settings: Settings) -> Job | None:
    """The job that was interrupted or abandoned: this one, or the latest that no later job has gone on with.

    None where there is none. One that was killed a moment ago still looks as if it ran, so that is waited for. Raises
    WrongUse for a job that Redis does not know.
    """
    client = redis_client(settings)
    if job is not None:
        require_own_job(client, job)
    done: set[str] = set()
    for name in [job] if job is not None else jobs(client):
        found = job_status(client, name)
        if found.state == "running" and found.root not in done and is_left(Ledger(client, name)):
            found = job_status(client, name)
        if found.state in WAS_LEFT and found.root not in done:
            return found
        done.add(found.root)
    return None


def _drop_left(client: redis.Redis, roots: set[str]) -> None:
    """Drop what an ingest of these roots that is gone has left in the queues: this one does those files."""
    for job in left_aside(client):
        if set(Ledger(client, job).meta().get("root", "").split()) <= roots:
            withdraw(client, job)


def _root_above(uri: str, roots: Sequence[str]) -> str:
    """The root that a file belongs to: the nearest one above it, the only one where none is by its name."""
    above = [root for root in roots if uri.startswith(root.rstrip("/") + "/")]
    return max(above, key=len) if above else next(iter(roots), "")


def _source_again(uri: str, files: Sequence[str]) -> Source:
    path = path_of(uri)
    root = Path(os.fsdecode(path)) if path is not None else OtherRoot(uri, uri)
    return Source(root, lambda: map(_as_it_is_now, files), PassedOver(), lambda: len(files))


def _as_it_is_now(uri: str) -> FileRef:
    path = path_of(uri)
    return file_ref(path) if path is not None else FileRef(uri, -1, -1)
