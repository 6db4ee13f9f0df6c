"""The log lines of the workers: each names the worker, and the job and the file that it is about.

The same line again and again is counted rather than written, and a log file is cut while its process writes to it.
"""

import json
import logging
import os
import re
import shutil
import sys
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from settings import Settings, load_settings
from settings.redaction import secrets_of, without
from tasks.stack import paths as stack_paths

# Set by --log-json, and inherited by child processes.
VARIABLE = "DARKROOM_LOG"
JSON = "json"


def as_json() -> bool:
    """True if each line is to be a JSON object."""
    return os.environ.get(VARIABLE) == JSON


def json_line(level: str, worker: str, message: str, **more: str) -> str:
    """One line as a JSON object: time (UTC), level, worker, job, file, message."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": now, "level": level, "worker": worker, "job": "", "file": "", "message": message, **more}
    return json.dumps(line, ensure_ascii=False)


_job: ContextVar[str] = ContextVar("job", default="")
_file: ContextVar[str] = ContextVar("file", default="")


class about_file:
    """A context in which every log line names this file."""

    _variable = _file

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._token = self._variable.set(self._name)

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._token)


class about_job(about_file):
    """The same for a job."""

    _variable = _job


class Lines(logging.Formatter):
    """Formats the records of one worker, as text or as JSON; it removes the secrets in the settings."""

    def __init__(self, worker: str, is_json: bool, secrets: list[str]) -> None:
        super().__init__()
        self._worker = worker
        self._is_json = is_json
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line; as text, a traceback follows on further lines."""
        message, trace = record.getMessage(), self._trace(record)
        job, file = _job.get(), _file.get()
        if self._is_json:
            more = {"traceback": trace} if trace else {}
            line = json_line(record.levelname, self._worker, message, job=job, file=file, **more)
        else:
            context = [self._worker, f"job {job}" if job else "", file]
            start = f"{self.formatTime(record)} {record.levelname} {' '.join(part for part in context if part)}"
            line = f"{start}: {message}\n{trace}" if trace else f"{start}: {message}"
        return without(self._secrets, line)

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


SAME_LINES, SAME_SECONDS = 5, 60.0
# Lines that are remembered, each with how often it came.
MOST_REMEMBERED = 1000
_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Repeats(logging.Filter):
    """Lets the same line through SAME_LINES times in SAME_SECONDS and then counts it: hundreds of threads may say it.

    The last line before the silence says so, and the first one after it says how many there were. Lines about
    different files or jobs are different lines; the id of a task makes no difference.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True if the line is to be written."""
        message = record.getMessage()
        error = repr(record.exc_info[1]) if record.exc_info else ""
        line = record.name, record.levelno, _TASK_ID.sub("", message), _TASK_ID.sub("", error), _job.get(), _file.get()
        with self._lock:
            if len(self._seen) >= MOST_REMEMBERED and line not in self._seen:
                self._seen.clear()
            start, times = self._seen.get(line, (record.created, 0))
            if record.created - start >= SAME_SECONDS:
                unwritten = times - SAME_LINES
                start, times = record.created, 0
            else:
                unwritten = 0
            self._seen[line] = start, times + 1
        if unwritten > 0:
            record.msg, record.args = f"{message} (this line came {unwritten:,} times more)", ()
        elif times + 1 == SAME_LINES:
            record.msg, record.args = f"{message} (from now on this line is counted for a while)", ()
        return times < SAME_LINES


def cut(log: Path) -> bool:
    """If a log is too long, move its text to `<name>.1`, replacing that; true if it did.

    Its process may go on writing: everything that writes to a log appends to it, so the next line stands at its start.
    A line that is written in the instant between copy and cut is lost. The whole output of a process is bounded that
    way, also what native libraries print.
    """
    try:
        if log.stat().st_size <= stack_paths.MAX_LOG_BYTES:
            return False
        with suppress(OSError):  # a full disk has no room for a copy, and is one more reason to cut
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)
    except OSError:  # somebody has removed it
        return False
    return True


def write_to_stderr(worker: str, settings: Settings) -> None:
    """Write the log of this process to stderr, with the name `worker`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeats())
    handler.setFormatter(Lines(worker, as_json(), secrets_of(settings)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def set_up(worker: str) -> None:
    """The same for a process of Celery's, which then configures no logging."""
    # Only workers need Celery; a supervisor, which every command may wait for, starts sooner without it.
    from celery.signals import setup_logging, task_postrun, task_prerun

    write_to_stderr(worker, load_settings())
    setup_logging.connect(_do_nothing, weak=False)
    task_prerun.connect(_begin, weak=False)
    task_postrun.connect(_end, weak=False)


def _do_nothing(**_: Any) -> None:
    """Celery configures no logging if this signal has a receiver."""


def _begin(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    _job.set(str((kwargs or {}).get("job", "")))


def _end(**_: Any) -> None:
    _job.set("")
