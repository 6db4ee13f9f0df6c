"""One ingest from the folder to the last confirmed write, and one of the files that failed in another."""

import os
from itertools import chain
from pathlib import Path

from rich.console import Console

from pictures.formats import PICTURE_EXTENSIONS
from pictures.uris import path_of
from producer.ingest.interrupts import Interrupts
from producer.ingest.outcome import Outcome, sentences
from producer.ingest.rebuild import rebuild_collection
from producer.ingest.run import IngestRun
from producer.ingest.sources.exclusion import PassedOver
from producer.ingest.sources.roots import OtherRoot, Source, find_root
from producer.ingest.sources.scan import FileRef, file_ref
from producer.jobs.listing import with_names
from producer.jobs.view import require_own_job
from producer.stack import Stack
from producer.waiting import collection_facts
from settings import Settings
from settings.errors import WrongUse
from tasks.broker import redis_client
from tasks.ledger import Ledger


def source_of(name: str, settings: Settings) -> Source:
    """The source that a person means by a name; raises WrongUse for one that cannot be ingested or has no picture."""
    root, files = find_root(name, settings)
    passed_over = PassedOver()
    scan = files(passed_over)
    first = next(scan, None)
    if first is None:
        raise WrongUse(
            f"There is no picture in {root}: looked for {', '.join(sorted(PICTURE_EXTENSIONS))} in it and below it. "
            + " ".join(sentences(passed_over))
        )

    count = None if isinstance(root, OtherRoot) else lambda: sum(1 for _ in files(PassedOver()))
    return Source(root, lambda: chain([first], scan), passed_over, count)


def ingest(
    source: Source, settings: Settings, stack: Stack, console: Console, begin: float, rebuild: bool = False
) -> Outcome:
    """Ingest a source and wait for the last confirmed write; `begin` is when the command began, by time.monotonic().

    With `rebuild` a collection of another CLIP model is made anew first. Raises ServiceMissing when a part of the stack
    cannot come up.
    """
    facts = collection_facts(stack)
    held = facts["clip_model"] if not rebuild else None
    if rebuild:
        rebuild_collection(facts, source.root, settings, stack, console)
    # Only now: before there is a job, Ctrl-C simply ends the command.
    with Interrupts() as interrupts:
        return IngestRun(source, settings, console, stack, interrupts, begin, held).run()


def retry(job: str, settings: Settings, stack: Stack, console: Console, begin: float) -> Outcome | None:
    """Ingest the files that failed in `job` again; None where no file failed. Raises WrongUse for an unknown job."""
    client = redis_client(settings)
    require_own_job(client, job)
    ledger = Ledger(client, job)
    failures = with_names(ledger.iterate_failures(), stack.local.data, job)
    uris = [failure.uri for failure in failures if "://" in failure.uri]
    if not uris:
        return None

    root = _root_of(ledger.meta().get("root", ""))
    source = Source(root, lambda: map(_as_it_is_now, uris), PassedOver(), lambda: len(uris))
    return ingest(source, settings, stack, console, begin)


def _root_of(uri: str) -> Path | OtherRoot:
    path = path_of(uri)
    return Path(os.fsdecode(path)) if path is not None else OtherRoot(uri, uri)


def _as_it_is_now(uri: str) -> FileRef:
    path = path_of(uri)
    return file_ref(path) if path is not None else FileRef(uri, -1, -1)
