"""One ingest from the folder to the last confirmed write."""

import time
from collections.abc import Callable

from rich.console import Console

from producer.ingest_run import IngestRun
from producer.interrupt import Interrupts
from producer.outcome import Outcome
from producer.patience import collection_facts
from producer.rebuild import make_anew
from producer.roots import find_root
from producer.scan import PICTURE_EXTENSIONS
from producer.stack import attached
from settings import Settings
from tasks.errors import WrongUse


def ingest(
    named: str, settings: Settings, console: Console, report: Callable[[Outcome], None], rebuild: bool = False
) -> Outcome:
    """Ingest what `producer/roots.py` makes of a name, and wait for the last confirmed write.

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
            make_anew(facts, root, settings, stack, console)
        # Only now: before there is a job, Ctrl-C simply ends the command.
        with Interrupts() as interrupts:
            outcome = IngestRun(root, files, settings, console, stack, interrupts, begin).run()
        report(outcome)
    return outcome
