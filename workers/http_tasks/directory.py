"""darkroom.ingest_directory: an ingest for another program, run by the producer in its own process.

The task runs in a worker without models, on a machine that has the pictures.
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
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Task
from celery.contrib.abortable import AbortableAsyncResult
from celery.exceptions import Reject
from celery.signals import task_postrun, worker_shutting_down
from redis.exceptions import RedisError

from pictures.paths import NotAllowed, paths_of
from settings import load_settings
from settings.child_commands import child_command, child_environment
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app
from tasks.ledger import JOB_VARIABLE, new_job_id
from tasks.queues import HTTP_INGEST, INGEST
from tasks.stack.paths import error_line, last_line
from workers.consume import consume
from workers.http_tasks.requests import IngestRequest
from workers.supervisor.processes import end_with_parent

NAME = "ingest"
STEP_SECONDS = 0.1
ABORT_SECONDS = 1.0
# An ingest may take longer than the results of questions are kept, and its end may be asked for later.
KEEP_SECONDS = 24 * 3600
# Shorter than the ten seconds after which the supervisor kills this worker.
GRACE_SECONDS = 6.0

stopping = threading.Event()


@app.task(name=HTTP_INGEST, bind=True, ignore_result=False, typing=False, track_started=True, throws=(DarkroomError,))
def ingest_directory(self: Task, **fields: Any) -> dict[str, Any]:
    """Ingest a folder of this machine; the result is what `python -m producer ingest DIR --json` prints.

    The id of the task is the id of the job, so its row in Flower shows the progress of the job and its files. Aborting
    the task stops the job as Ctrl-C does. When this worker stops, the next one continues the job.
    """
    directory = _allowed(IngestRequest.of(fields).directory)
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    # A second run is another job, because it numbers the files again and must not use the ledger of the first run.
    is_valid_id = re.fullmatch(r"[0-9A-Za-z-]{1,64}", self.request.id)
    job = self.request.id if is_valid_id and not redelivered else new_job_id()
    result = AbortableAsyncResult(self.request.id, app=app)

    def is_aborted() -> bool:
        _keep_result(self.request.id)
        return bool(result.is_aborted())

    with tempfile.TemporaryDirectory(prefix="darkroom-ingest-") as folder:
        code, out, err = run_producer(directory, job, Path(folder), is_aborted)
        if stopping.is_set() and code != 0:
            raise Reject("this worker is stopping", requeue=True)
        if code in (0, 1, 130) and out.read_text().strip():
            return {**json.loads(out.read_text()), "interrupted": code == 130}
        sentence = error_line(err) or last_line(err) or f"The producer ended with exit code {code}."
        raise (WrongUse if code == WrongUse.exit_code else ServiceMissing)(sentence)


def run_producer(directory: str, job: str, folder: Path, is_aborted: Callable[[], bool]) -> tuple[int, Path, Path]:
    """Run one ingest to its end; returns its exit code and the files in `folder` with its output and its errors.

    When `is_aborted` returns True, it gets the signal of Ctrl-C; when this worker stops, it gets it twice and ends at
    once.
    """
    out, err = folder / "out", folder / "err"
    end_with_me = end_with_parent(signal.SIGTERM)

    def before_exec() -> None:
        end_with_me()
        # A shell that starts a worker with `&` has it ignore Ctrl-C, which a child inherits and is ended by here.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with out.open("wb") as to_out, err.open("wb") as to_err:
        child = subprocess.Popen(
            child_command("producer", "ingest", "--json", "--", directory),
            env={**child_environment(), JOB_VARIABLE: job},
            stdin=subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
            start_new_session=True,
            preexec_fn=before_exec,
        )
    try:
        is_interrupted = False
        checked_at = time.monotonic()
        while child.poll() is None and not stopping.wait(STEP_SECONDS):
            if not is_interrupted and time.monotonic() - checked_at > ABORT_SECONDS:
                checked_at = time.monotonic()
                is_interrupted = is_aborted()
                if is_interrupted:
                    child.send_signal(signal.SIGINT)
        deadline = time.monotonic() + GRACE_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            child.send_signal(signal.SIGINT)
            time.sleep(5 * STEP_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
    return child.wait(), out, err


def _keep_result(task_id: str) -> None:
    with suppress(RedisError):
        app.backend.client.expire(app.backend.get_key_for_task(task_id), KEEP_SECONDS)


@task_postrun.connect(sender=ingest_directory)
def _keep_end(task_id: str, **_: Any) -> None:
    _keep_result(task_id)


def _allowed(directory: str) -> str:
    paths = paths_of(load_settings())
    try:
        paths.allowed(paths.here(os.fsencode(directory)))
    except NotAllowed as error:
        raise WrongUse(f"The folder {directory} is refused: {error}.") from None
    return directory


def run() -> None:
    """Consume until SIGTERM; an ingest that runs then is requeued, and the next worker continues it."""
    consume(NAME, [INGEST], load_settings().flower.ingests)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
