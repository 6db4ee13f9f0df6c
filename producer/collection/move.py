"""Moves the embedded collection to a Qdrant server: a copy, checked, after which the settings name the server."""

import time
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from producer.stack import Stack
from producer.waiting import wait_for
from settings import Settings
from settings.errors import DarkroomError, WrongUse
from tasks.queues import MOVE_PAGE, MOVE_START
from tasks.rpc import Question
from tasks.stack.paths import stack_paths

ANSWER_SECONDS = 300.0
PAGE = 256


@dataclass(frozen=True)
class Moved:
    """How a move ended: points here, points that had to be written, and points that the server counts now."""

    collection: str
    url: str
    points: int
    copied: int
    there: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The one object that `move --json` prints."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def move(url: str, stack: Stack, console: Console) -> Moved:
    """Copy the embedded collection to the server at `url`, an address as `check_target` lets it through.

    The embedded collection stays as it is. A move that was interrupted goes on where it was. Raises ServiceMissing
    where the server does not answer, and DarkroomError where it holds fewer points afterwards than it should.
    """
    begin = time.monotonic()

    def ask(question: Question) -> Any:
        return wait_for(question, stack, ANSWER_SECONDS, "storage")

    first = ask(Question(MOVE_START, url=url))
    copied = read = on_server = 0
    columns = (TextColumn("moving"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("moving", total=first["points"])
        after: str | None = None
        while True:
            page = ask(Question(MOVE_PAGE, url=url, limit=PAGE, after=after))
            read, copied, on_server, after = read + page["points"], copied + page["copied"], page["there"], page["next"]
            bar.update(task, completed=read, total=max(read, first["points"]))
            if after is None:
                break
    if on_server < read:
        raise DarkroomError(f"The server counts {on_server:,} points, fewer than the {read:,} here: move again.")
    return Moved(first["collection"], url, read, copied, on_server, time.monotonic() - begin)


def print_moved(moved: Moved, settings: Settings, console: Console) -> None:
    """What was moved, and what to set now."""
    before = moved.points - moved.copied
    lines = [
        f"{moved.copied:,} points copied"
        + (f", {before:,} were there already" if before else "")
        + f": the server holds {moved.there:,} in {moved.collection} ({moved.seconds:.1f} s).",
        "Nothing was removed here. From now on use the server, on every machine:",
        f"    DARKROOM__QDRANT__URL={moved.url}        (or [qdrant] url in settings.toml)",
        "When that works, the embedded collection may go: "
        f"{stack_paths(settings).catalog / settings.qdrant.collection}",
    ]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def check_target(url: str, settings: Settings) -> None:
    """Raise WrongUse where the settings name a server already or `url` is no address of one."""
    if settings.qdrant.url != "embedded":
        raise WrongUse(
            f"qdrant.url names the server {settings.qdrant.safe_url} already: only the embedded collection is moved."
        )
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise WrongUse("--to wants the address of a Qdrant server, such as http://host:6333.")
    if "@" in parts.netloc or parts.query:
        raise WrongUse("--to takes no password: set qdrant.api_key (best as DARKROOM__QDRANT__API_KEY).")
