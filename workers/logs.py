"""What the workers write to their logs: every line says which worker wrote it, and over which job and file."""

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

# Set by --log-json, for the children as well.
VARIABLE = "DARKROOM_LOG"
JSON = "json"


def as_json() -> bool:
    """True where every line is to be one JSON object."""
    return os.environ.get(VARIABLE) == JSON


def json_line(level: str, worker: str, message: str, **more: str) -> str:
    """One line for machines: time (UTC), level, worker, job, file, message."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": moment, "level": level, "worker": worker, "job": "", "file": "", "message": message, **more}
    return json.dumps(line, ensure_ascii=False)


_job: ContextVar[str] = ContextVar("job", default="")
_file: ContextVar[str] = ContextVar("file", default="")


class about_file:
    """Name this file in every line that is written inside."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> None:
        self._token = _file.set(self._uri)

    def __exit__(self, *_: object) -> None:
        _file.reset(self._token)


class Lines(logging.Formatter):
    """Formats records of one worker, for people or for machines; no secret of the settings gets into them."""

    def __init__(self, worker: str, for_machines: bool, secrets: list[str]) -> None:
        super().__init__()
        self._worker = worker
        self._for_machines = for_machines
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line, or with a traceback and for people the lines."""
        message, trace = record.getMessage(), self._trace(record)
        job, file = _job.get(), _file.get()
        if self._for_machines:
            more = {"traceback": trace} if trace else {}
            line = json_line(record.levelname, self._worker, message, job=job, file=file, **more)
        else:
            context = [self._worker, f"job {job}" if job else "", file]
            said = (
                f"{self.formatTime(record)} {record.levelname} {' '.join(part for part in context if part)}: {message}"
            )
            line = f"{said}\n{trace}" if trace else said
        return without(self._secrets, line)

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


def set_up(worker: str) -> None:
    """Write the log of this process to stderr, in the name of `worker`; Celery then leaves logging alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(worker, as_json(), secrets_of(load_settings())))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    setup_logging.connect(_leave_alone, weak=False)
    task_prerun.connect(_begin, weak=False)
    task_postrun.connect(_end, weak=False)


def _leave_alone(**_: Any) -> None:
    """A receiver of this signal is all that Celery asks for."""


def _begin(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    _job.set(str((kwargs or {}).get("job", "")))


def _end(**_: Any) -> None:
    _job.set("")
