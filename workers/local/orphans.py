"""Ends the children of a supervisor that was killed before it could stop them."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from tasks.locks import is_held, note_in

GRACE_SECONDS = 5.0
STEP_SECONDS = 0.02


def end_orphans(runtime: Path) -> None:
    """End what still runs from an earlier stack in this runtime folder, and remove the files it left.

    Only for the holder of the stack's lock. A process id is believed only while its process holds the lock on the file
    that it stands in, so no stranger with a reused id is ever hit.
    """
    files = sorted(runtime.glob("*.pid"))
    for number, grace in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        for file in files:
            _signal(file, number)
        deadline = time.monotonic() + grace
        while any(is_held(file) for file in files) and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
    for file in files:
        if not is_held(file):
            file.unlink(missing_ok=True)


def _signal(file: Path, number: signal.Signals) -> None:
    pid = note_in(file)
    if pid.isdigit() and is_held(file):
        with suppress(ProcessLookupError):
            os.killpg(int(pid), number)
