"""darkroom.ingest_directory: an ingest that another program asks for, run by the producer in a process of its own.

It runs in a worker without models, on a machine where the pictures are.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Task
from celery.contrib.abortable import AbortableAsyncResult
from celery.exceptions import Reject
from celery.signals import worker_shutting_down

from pictures.paths import NotAllowed, paths_of
from settings import load_settings
from settings.child_commands import child_command, child_environment
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app
from tasks.ledger import JOB_VARIABLE, new_job_id
from tasks.log_file import error_line, last_line
from tasks.queues import HTTP_INGEST, INGEST
from workers.consume import consume
from workers.http_tasks.requests import IngestRequest
from workers.supervisor.processes import end_with_parent

NAME = "ingest"
STEP_SECONDS = 0.1
ABORT_SECONDS = 1.0
# The supervisor of this worker kills it after ten.
LEAVE_SECONDS = 6.0

stopping = threading.Event()


@app.task(name=HTTP_INGEST, bind=True, ignore_result=False, typing=False, track_started=True, throws=(DarkroomError,))
def ingest_directory(self: Task, **fields: Any) -> dict[str, Any]:
    """Ingest a folder of this machine; the result is what `python -m producer ingest DIR --json` prints.

    The id of the task is the name of the job, so its row in Flower shows the progress of the job and its files.
    Aborting the task stops the job as Ctrl-C does. A worker that stops leaves the job to the next one.
    """
    directory = _allowed(IngestRequest.of(fields).directory)
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    # A second run is another job: it numbers the files anew, and the ledger of the first one must not count for it.
    named = re.fullmatch(r"[0-9A-Za-z-]{1,64}", self.request.id)
    job = self.request.id if named and not redelivered else new_job_id()
    result = AbortableAsyncResult(self.request.id, app=app)
    with tempfile.TemporaryDirectory(prefix="darkroom-ingest-") as folder:
        code, out, err = run_producer(directory, job, Path(folder), result.is_aborted)
        if stopping.is_set() and code != 0:
            raise Reject("this worker is stopping", requeue=True)
        if code in (0, 1, 130) and out.read_text().strip():
            return {**json.loads(out.read_text()), "interrupted": code == 130}
        sentence = error_line(err) or last_line(err) or f"The producer ended with exit code {code}."
        raise (WrongUse if code == WrongUse.exit_code else ServiceMissing)(sentence)


def run_producer(directory: str, job: str, folder: Path, is_aborted: Callable[[], bool]) -> tuple[int, Path, Path]:
    """Run one ingest to its end; its exit code and the files in `folder` with its output and its errors.

    Once `is_aborted` it gets what Ctrl-C sends; when this worker stops it gets that twice, and leaves at once.
    """
    out, err = folder / "out", folder / "err"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        child = subprocess.Popen(
            child_command("producer", "ingest", "--json", "--", directory),
            env={**child_environment(), JOB_VARIABLE: job},
            stdin=subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )
    try:
        told = False
        looked = time.monotonic()
        while child.poll() is None and not stopping.wait(STEP_SECONDS):
            if not told and time.monotonic() - looked > ABORT_SECONDS:
                looked = time.monotonic()
                told = is_aborted()
                if told:
                    child.send_signal(signal.SIGINT)
        deadline = time.monotonic() + LEAVE_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            child.send_signal(signal.SIGINT)
            time.sleep(5 * STEP_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
    return child.wait(), out, err


def _allowed(directory: str) -> str:
    paths = paths_of(load_settings())
    try:
        paths.allowed(paths.here(os.fsencode(directory)))
    except NotAllowed as error:
        raise WrongUse(f"The folder {directory} is refused: {error}.") from None
    return directory


def run() -> None:
    """Consume until SIGTERM; what runs then is left in the queues and goes on with the next worker."""
    consume(NAME, [INGEST], load_settings().flower.ingests)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
