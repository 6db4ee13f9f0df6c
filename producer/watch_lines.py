"""What a watch says to a person: a line for each batch of changes, and one for each file that failed."""

import time
from collections.abc import Iterator
from typing import Any

from producer.names import brief, command


def lines_of(found: dict[str, Any]) -> Iterator[str]:
    """The lines for one thing that a watch tells."""
    if found["event"] == "watching":
        how = f" by looking every few seconds ({found['polling']})" if found["polling"] else ""
        yield f"Watching {found['folder']}{how}; Ctrl-C ends it."
    elif found["event"] == "away":
        yield f"{_clock()}  {found['folder']} is not there; waiting for it, and keeping what the collection holds."
    else:
        yield from _change(found)


def _change(found: dict[str, Any]) -> Iterator[str]:
    parts = [f"{found[name]:,} {name}" for name in ("stored", "removed", "failed") if found[name]]
    if found["reused"]:
        parts[0] += f" ({found['reused']:,} of them reused, without a model)"
    if parts:
        yield f"{_clock()}  {', '.join(parts)}"
    if found["kept"]:
        yield f"{_clock()}  {found['kept']}"
    for failure in found["failures"]:
        yield f"          {brief(failure['uri'])}: {failure['reason']}"
    if found["failed"] > len(found["failures"]):
        yield f"          … and {found['failed'] - len(found['failures']):,} more: {command('errors', found['job'])}"


def _clock() -> str:
    return time.strftime("%H:%M:%S")
