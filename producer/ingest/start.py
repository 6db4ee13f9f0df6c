"""One ingest from the folder to the last confirmed write, and one of the files that failed in another."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from pictures.formats import PICTURE_EXTENSIONS
from pictures.uris import path_of
from producer.ingest.interrupts import Interrupts
from producer.ingest.outcome import Outcome
from producer.ingest.rebuild import rebuild_collection
from producer.ingest.roots import OtherRoot, find_root
from producer.ingest.run import IngestRun
from producer.ingest.scan import FileRef, file_ref
from producer.jobs.view import job_status
from producer.stack import attached
from producer.waiting import collection_facts
from settings import Settings
from settings.errors import WrongUse
from tasks.broker import redis_client
from tasks.ledger import Ledger


def ingest(
    named: str, settings: Settings, console: Console, report: Callable[[Outcome], None], rebuild: bool = False
) -> Outcome:
    """Ingest what `find_root` makes of a name, and wait for the last confirmed write.

    `report` is called then, before the stack goes down.

    With `rebuild` a collection of another CLIP model is made anew first.

    Raises WrongUse for a folder that cannot be ingested, ServiceMissing when a part of the stack cannot come up.
    """
    begin = time.monotonic()
    root, files = find_root(named, settings)
    if next(files([]), None) is None:
        raise WrongUse(
            f"There is no picture in {root}: looked for {', '.join(sorted(PICTURE_EXTENSIONS))} in it and below it."
        )
    with attached(settings) as stack:
        facts = collection_facts(stack)
        if rebuild:
            rebuild_collection(facts, root, settings, stack, console)
        # Only now: before there is a job, Ctrl-C simply ends the command.
        with Interrupts() as interrupts:
            outcome = IngestRun(root, files, settings, console, stack, interrupts, begin).run()
        report(outcome)
    return outcome


def retry(job: str, settings: Settings, console: Console, report: Callable[[Outcome | None], None]) -> int:
    """Ingest the files that failed in `job` again; `report` gets the outcome before the stack goes down.

    It gets None where no file failed. Returns the exit code of an ingest. Raises WrongUse for an unknown job.
    """
    begin = time.monotonic()
    with attached(settings) as stack:
        client = redis_client(settings)
        job_status(client, job)
        ledger = Ledger(client, job)
        uris = [failure.uri for failure in ledger.failures()]
        if not uris:
            report(None)
            return 0
        collection_facts(stack)
        root = _root_of(ledger.meta().get("root", ""))

        def files(_: list[str]) -> Iterator[FileRef]:
            return map(_as_it_is_now, uris)

        with Interrupts() as interrupts:
            outcome = IngestRun(root, files, settings, console, stack, interrupts, begin).run()
        report(outcome)
    return outcome.exit_code


def _root_of(uri: str) -> Path | OtherRoot:
    path = path_of(uri)
    return Path(os.fsdecode(path)) if path is not None else OtherRoot(uri, uri)


def _as_it_is_now(uri: str) -> FileRef:
    path = path_of(uri)
    return file_ref(path) if path is not None else FileRef(uri, -1, -1)
