"""`status --watch`: the terminal's dashboard, drawn anew every second until a key is pressed."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from producer.formatting import duration
from producer.jobs.tables import STYLES
from producer.jobs.view import JobView
from settings.errors import WrongUse

OVER = ("done", "interrupted", "abandoned")


def watch(view: JobView, console: Console, interval: float, until_over: bool) -> None:
    """Draw until q or Ctrl-C, or with `until_over` until the job is; raises WrongUse where nothing can be drawn."""
    if not console.is_terminal:
        raise WrongUse("status --watch draws on a terminal: add --json where there is none.")
    with single_keys(), Live(console=console, screen=False, auto_refresh=False, transient=False) as live:
        _repeat(
            view,
            lambda snapshot, away: live.update(drawn(snapshot, away), refresh=True),
            lambda: pressed("qQ", interval),
            until_over,
        )


def stream(view: JobView, show: Callable[[dict[str, Any]], None], interval: float, until_over: bool) -> None:
    """Hand every look to `show`, until Ctrl-C, or with `until_over` until the job is over."""

    def pause() -> bool:
        time.sleep(interval)
        return False

    _repeat(view, lambda snapshot, away: show({**snapshot, "redis": not away}), pause, until_over)


def drawn(snapshot: dict[str, Any], away: bool = False) -> RenderableType:
    """One look as the terminal shows it."""
    parts: list[RenderableType] = [_heading(snapshot, away)]
    parts += [
        Text(f"{name}: {sentence}", style="yellow") for name, sentence in sorted(snapshot.get("faults", {}).items())
    ]
    parts += [Text(""), _queues(snapshot), Text("")]
    parts.append(_jobs(snapshot["jobs"]) if snapshot.get("jobs") else Text("No jobs yet."))
    parts.append(Text("\nq or Ctrl-C ends", style="dim"))
    return Group(*parts)


def _repeat(
    view: JobView, show: Callable[[dict[str, Any], bool], None], pause: Callable[[], bool], until_over: bool
) -> None:
    snapshot: dict[str, Any] = {}
    try:
        while True:
            away = False
            try:
                snapshot = view.read()
            except redis.RedisError:
                away = True
            show(snapshot, away)
            if until_over and snapshot and all(job["state"] in OVER for job in snapshot["jobs"]):
                return
            if pause():
                return
    except KeyboardInterrupt:
        return
    finally:
        view.close()


def _heading(snapshot: dict[str, Any], away: bool) -> Text:
    if away:
        return Text("Redis does not answer; waiting for it.", style="bold red")
    collection = snapshot.get("collection")
    workers = ", ".join(worker["name"] for worker in snapshot["workers"]) or "none lives"
    points = f"{collection['name']}: {collection['points']:,} points" if collection else "the collection: no answer yet"
    return Text.assemble(("Darkroom  ", "bold"), time.strftime("%H:%M:%S"), f"  {points}\nWorkers: {workers}")


def _queues(snapshot: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    queues = {**snapshot.get("queues", {}), "in work": snapshot.get("in_work", 0)}
    for name in queues:
        table.add_column(name, justify="right", min_width=8)
    table.add_row(*(f"{length:,}" for length in queues.values()))
    return table


def _jobs(jobs: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("job", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("", ratio=1, min_width=8)
    table.add_column("files", justify="right", no_wrap=True)
    table.add_column("failed", justify="right", no_wrap=True)
    table.add_column("rate", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    table.add_column("folder", ratio=1)
    for job in jobs:
        finished, total = job["stored"] + job["failed"] + job["skipped"], job["total"]
        running = job["state"] == "running"
        table.add_row(
            job["job"],
            Text(job["state"], style=STYLES.get(job["state"], "")),
            ProgressBar(total=total or None, completed=finished, pulse=running and total is None),
            f"{finished:,}/{total:,}" if total is not None else f"{finished:,}/?",
            Text(f"{job['failed']:,}", style="red" if job["failed"] else ""),
            f"{job['rate']:,.1f}/s" if running else "",
            duration(job["seconds_left"]) if running and job["seconds_left"] is not None else "",
            EndOfPath(job["root"]),
        )
    return table


class EndOfPath:
    """A path cut at its left where there is no room for it: the names at its end tell folders apart."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        path = self._path
        if cell_len(path) > options.max_width:
            while path and cell_len(path) >= options.max_width:
                path = path[1:]
            path = f"…{path}"
        yield Text(path, no_wrap=True, overflow="crop")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, cell_len(self._path))


@contextmanager
def single_keys() -> Iterator[None]:
    """Let keys arrive one by one and unseen; Ctrl-C works as ever. Without a terminal nothing changes."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def pressed(wanted: str, seconds: float) -> bool:
    """Wait for at most `seconds`; True as soon as one of the `wanted` keys is pressed."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not sys.stdin.isatty():
            time.sleep(left)
            return False
        if select.select([sys.stdin], [], [], left)[0] and os.read(sys.stdin.fileno(), 1).decode("latin-1") in wanted:
            return True
    return False
