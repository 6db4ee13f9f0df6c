"""Keeping the collection true to a folder while it changes, and the lines that say so."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from pictures.uris import uri_of
from producer.collection.prune import identity_of
from producer.collection.watching.changes import ChangeBatch
from producer.collection.watching.mounts import network_type
from producer.collection.watching.pending import Pending
from producer.collection.watching.watch_limit import watch_limit
from producer.formatting import brief, command, shown
from producer.ingest.interrupts import Interrupts
from producer.ingest.sources.roots import find_root
from producer.stack import Stack
from producer.waiting import collection_facts
from settings import Settings
from settings.errors import WrongUse
from settings.extras import require

TICK_MILLISECONDS = 300
DEBOUNCE_MILLISECONDS = 1000
POLL_MILLISECONDS = 5000
# A drive that tells of changes may lose some of them in a storm; a look at everything finds those.
LOOK_AGAIN_SECONDS = 3600.0
AWAY_SECONDS = 0.5
NOTHING: dict[str, Any] = {
    "stored": 0,
    "reused": 0,
    "failed": 0,
    "removed": 0,
    "kept": None,
    "failures": [],
    "job": None,
    "seconds": 0.0,
}
Tell = Callable[[dict[str, Any]], None]


def check_watched(folder: str | Path, settings: Settings) -> Path:
    """The folder as an absolute path; raises WrongUse where it cannot be watched, ServiceMissing without watchfiles."""
    # Before it is looked at: whether workers may read it is another question.
    root = folder if "://" in str(folder) else find_root(str(folder), settings)[0]
    if not isinstance(root, Path):
        raise WrongUse(f"{root} cannot be watched: name a folder of this machine.")
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise WrongUse(
            f"{shown(uri_of(bytes(root)))} cannot be watched, because its name is not UTF-8: rename it, or run ingest "
            "now and then."
        ) from None
    require("watchfiles", "watch", "Watching needs watchfiles")
    return root


def watch_folder(
    root: Path, poll: bool, settle: float, settings: Settings, stack: Stack, console: Console, tell: Tell
) -> None:
    """Bring the collection up to date with a folder, then follow its changes until Ctrl-C.

    `root` is a folder as `check_watched` makes it. `tell` gets {"event": "watching" | "change" | "away", ...} as it
    happens. A change waits until its files have been at rest for `settle` seconds. Raises ServiceMissing when a part of
    the stack cannot come up.
    """
    collection_facts(stack)
    with Interrupts() as interrupts:
        _Watcher(root, poll, settle, settings, stack, console, interrupts, tell).run()


class _Watcher:
    def __init__(
        self,
        root: Path,
        poll: bool,
        settle: float,
        settings: Settings,
        stack: Stack,
        console: Console,
        interrupts: Interrupts,
        tell: Tell,
    ) -> None:
        self.root = root
        self.poll = poll
        self.interrupts = interrupts
        self.tell = tell
        self.pending = Pending(settle)
        self.batch = ChangeBatch(root, settings, stack, console, interrupts, self.pending)

    def run(self) -> None:
        announced = False
        while not self.interrupts.stopping:
            if self.root.is_dir():
                announced = False
                self._follow()
            else:
                if not announced:
                    announced = True
                    self.tell({"event": "away", "folder": str(self.root)})
                time.sleep(AWAY_SECONDS)

    def _follow(self) -> None:
        """Watch until Ctrl-C, or until the folder is no longer the one that it was."""
        reason = "asked for" if self.poll else network_type(self.root) or watch_limit(self.root)
        identity = self.batch.begin(polling=bool(reason))
        with closing(self._changes(reason)) as changes:
            # From here on nothing is missed, so what was changed before can be looked at in peace.
            next(changes)
            self.tell({"event": "watching", "folder": str(self.root), "polling": reason})
            done: dict[str, Any] | None = self.batch.catch_up()
            looked = time.monotonic()
            for changed in changes:
                if self.interrupts.stopping or identity_of(self.root) != identity:
                    return
                for path, modified in changed:
                    self.batch.note(path, modified)
                # Only now is all noted that happened during the last batch, such as where its pictures have gone.
                self._tell_of(done, self.batch.remove_gone())
                rested = self.pending.take_rested()
                done = self.batch.work(rested) if rested else None
                if time.monotonic() - looked > LOOK_AGAIN_SECONDS:
                    self._tell_of(done, 0)
                    if not reason and watch_limit(self.root):
                        return  # there are more folders by now: watched anew, and with what the beginning says
                    done = self.batch.catch_up()
                    looked = time.monotonic()

    def _tell_of(self, done: dict[str, Any] | None, removed: int) -> None:
        done = {**(done or NOTHING), "removed": removed}
        if any(done[name] for name in ("stored", "failed", "removed", "kept")):
            self.tell({"event": "change", **done})

    def _changes(self, polling: str | None) -> Generator[set[tuple[bytes, bool]], None, None]:
        """The paths that are new, gone or (True) modified, again and again; an empty set where nothing happened."""
        from watchfiles import Change, watch

        real = os.path.realpath(self.root)
        for changes in watch(
            self.root,
            watch_filter=None,
            debounce=DEBOUNCE_MILLISECONDS,
            rust_timeout=TICK_MILLISECONDS,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=True if polling else None,
            poll_delay_ms=POLL_MILLISECONDS,
            ignore_permission_denied=True,
        ):
            # Some systems tell of the folder by its real path, whatever way it was named.
            yield {
                (os.fsencode(_renamed(path, real, str(self.root))), change == Change.modified)
                for change, path in changes
            }


def _renamed(path: str, real: str, name: str) -> str:
    return name + path[len(real) :] if real != name and path.startswith(real) else path


def lines_of(change: dict[str, Any]) -> Iterator[str]:
    """The lines for one thing that a watch tells."""
    if change["event"] == "watching":
        how = f" by looking every few seconds ({change['polling']})" if change["polling"] else ""
        yield f"Watching {change['folder']}{how}; Ctrl-C ends it."
    elif change["event"] == "away":
        yield f"{_clock()}  {change['folder']} is not there; waiting for it, and keeping what the collection holds."
    else:
        yield from _change(change)


def _change(change: dict[str, Any]) -> Iterator[str]:
    parts = [f"{change[name]:,} {name}" for name in ("stored", "removed", "failed") if change[name]]
    if change["reused"]:
        parts[0] += f" ({change['reused']:,} of them reused, without a model)"
    if parts:
        yield f"{_clock()}  {', '.join(parts)}"
    if change["kept"]:
        yield f"{_clock()}  {change['kept']}"
    for failure in change["failures"]:
        yield f"          {brief(failure['uri'])}: {failure['reason']}"
    if change["failed"] > len(change["failures"]):
        yield f"          … and {change['failed'] - len(change['failures']):,} more: {command('errors', change['job'])}"


def _clock() -> str:
    return time.strftime("%H:%M:%S")
