"""The failed files of a job, tried again as a job of their own."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from producer.ingest_run import IngestRun
from producer.interrupt import Interrupts
from producer.outcome import Outcome
from producer.patience import collection_facts
from producer.roots import OtherRoot
from producer.scan import FileRef, file_ref, path_of
from producer.stack import attached
from producer.status import job_status
from settings import Settings
from tasks.app import redis_client
from tasks.ledger import Ledger


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
