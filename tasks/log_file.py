"""Reads what a child process said last, and keeps its log from growing for ever."""

import json
from pathlib import Path

LONGEST_LOG = 10_000_000
TAIL = 65_536
ERROR = "error: "


def rotate(path: Path) -> int:
    """Move an overlong log to `<name>.1`, replacing that; returns the bytes left in `path`, where news begins."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= LONGEST_LOG:
        return size
    path.replace(path.with_name(path.name + ".1"))
    return 0


def error_line(path: Path, start: int = 0) -> str:
    """The sentence of the last line `error: ...` behind byte `start`, or an empty text."""
    return next((line.removeprefix(ERROR) for line in reversed(_lines(path, start)) if line.startswith(ERROR)), "")


def last_line(path: Path, start: int = 0) -> str:
    """The last line behind byte `start` that is not empty, or an empty text."""
    return next((line for line in reversed(_lines(path, start)) if line), "")


def _said(line: str) -> str:
    """What a line says: the message of one that is written for machines, any other as it is."""
    if not line.startswith("{"):
        return line
    try:
        return str(json.loads(line)["message"])
    except (ValueError, LookupError, TypeError):
        return line


def _lines(path: Path, start: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - TAIL))
            return [_said(line.strip()) for line in file.read().decode("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return []
