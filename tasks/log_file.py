"""The log file of a child process: its last lines, and its rotation."""

import json
from pathlib import Path

MAX_LOG_BYTES = 10_000_000
TAIL_BYTES = 65_536
ERROR = "error: "


def rotate(path: Path) -> int:
    """Move a log that is too long to `<name>.1`, replacing that; returns the size of `path`, where new lines begin."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= MAX_LOG_BYTES:
        return size
    path.replace(path.with_name(path.name + ".1"))
    return 0


def error_line(path: Path, start: int = 0) -> str:
    """The sentence of the last line `error: ...` after byte `start`, or an empty text."""
    return next((line.removeprefix(ERROR) for line in reversed(_lines(path, start)) if line.startswith(ERROR)), "")


def last_line(path: Path, start: int = 0) -> str:
    """The last line after byte `start` that is not empty, or an empty text."""
    return next((line for line in reversed(_lines(path, start)) if line), "")


def _message(line: str) -> str:
    """The message of a line in JSON; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        return str(json.loads(line)["message"])
    except (ValueError, LookupError, TypeError):
        return line


def _lines(path: Path, start: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - TAIL_BYTES))
            return [_message(line.strip()) for line in file.read().decode("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return []
