"""The log lines of the workers: each names the worker, and the job and the file that it is about."""

import json
import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import Any

from celery.signals import setup_logging, task_postrun, task_prerun

from settings import load_settings
from settings.redaction import secrets_of, without

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

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> None:
        self._token = _file.set(self._uri)

    def __exit__(self, *_: object) -> None:
        _file.reset(self._token)


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


def set_up(worker: str) -> None:
    """Write the log of this process to stderr, with the name `worker`; Celery then configures no logging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(worker, as_json(), secrets_of(load_settings())))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    setup_logging.connect(_do_nothing, weak=False)
    task_prerun.connect(_begin, weak=False)
    task_postrun.connect(_end, weak=False)


def _do_nothing(**_: Any) -> None:
    """Celery configures no logging if this signal has a receiver."""


def _begin(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    _job.set(str((kwargs or {}).get("job", "")))


def _end(**_: Any) -> None:
    _job.set("")
