"""What a batch of changed paths means for the collection: files to ingest, points to remove."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from pictures.formats import has_picture_extension
from pictures.uris import path_of, uri_of
from producer.collection.prune import Folders, Sweep, folder_above, identity_of, is_empty, remove, sweep
from producer.collection.watching.pending import Pending
from producer.collection.watching.untold import Untold
from producer.formatting import shown
from producer.ingest.interrupts import Interrupts
from producer.ingest.outcome import Outcome
from producer.ingest.run import LISTED_FAILURES, IngestRun
from producer.ingest.sources.exclusion import Exclusion, PassedOver, exclusion_of
from producer.ingest.sources.roots import Source
from producer.ingest.sources.scan import FileRef, file_ref, scan
from producer.records import local_path
from producer.stack import Stack
from producer.waiting import with_retries
from settings import Settings
from tasks.ledger import Counts, Failure

GONE_SECONDS = 60.0


class ChangeBatch:
    """Works off changes below `root`; an event only says where to look, what is there decides.

    Pictures that moved are ingested before their old points go, so that these lend them their vectors.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        stack: Stack,
        console: Console,
        interrupts: Interrupts,
        pending: Pending,
    ) -> None:
        self._root = root
        self._settings = settings
        self._stack = stack
        self._console, self._interrupts = console, interrupts
        self._pending = pending
        self._identity = identity_of(root)
        # The device of every folder that had pictures, and of those above it: what is gone from another device than it
        # was on is not gone, but not mounted.
        self._devices: dict[bytes, int] = {}
        self._gone: dict[str, None] = {}
        self._gone_since: float | None = None
        self._untold: Untold | None = None

    def begin(self, polling: bool) -> tuple[int, int] | None:
        """Take the folder as it is now for the one that is watched; what that is."""
        self._identity = identity_of(self._root)
        self._gone.clear()
        self._untold = Untold() if polling else None
        return self._identity

    def note(self, path: bytes, modified: bool) -> None:
        """A path is new, gone or `modified`; what can be neither a picture nor a folder of pictures is passed over."""
        is_folder = path in self._devices or os.path.isdir(path)
        for gone in self._untold.told(path) if self._untold is not None else ():
            self._pending.add(gone)
        # What makes a folder modified is told of by itself.
        if not modified if is_folder else has_picture_extension(path):
            self._pending.add(path)

    def catch_up(self) -> dict[str, Any]:
        """Look at the whole folder and at all that the collection holds below it; returns what `work` does."""
        ingested = self._ingest(self._everything_at_rest)
        result = sweep(self._stack, [bytes(self._root)])
        doubt = result.doubt()
        if result.gone and is_empty(bytes(self._root)):
            doubt = f"{self._root} is empty, as when a disk is not mounted"
        return self._result(ingested, result.gone, doubt)

    def work(self, paths: list[bytes]) -> dict[str, Any]:
        """Ingest what is new at these paths, and note what is gone, for `remove_gone`.

        Returns {"stored", "reused", "failed", "removed", "kept", "failures", "job", "seconds"}; `kept` says why points
        of files that seem to be gone are kept, None where none are; `job` names a job in which something failed.
        """
        folders = [path for path in paths if path in self._devices]
        existing = [path for path in paths if os.path.lexists(path) and self._is_ours(path)]
        ingested = self._ingest(partial(self._files, existing)) if existing else None
        # Before the sweep: what goes only afterwards may leave points that are yet to be swept.
        changed = Folders(folders)
        gone = [folder for folder in self._devices if changed.hold(folder) and not os.path.isdir(folder)]
        result = sweep(self._stack, folders) if folders else Sweep()
        for path in paths:
            if has_picture_extension(path):
                result.look_at(uri_of(path), path)
        # What this watch has never seen was left alone when it caught up, and that was told then.
        known = [uri for uri in result.gone if self._folder_of(uri) in self._devices]
        away = [uri for uri in known if self._is_not_mounted(uri)]
        doubt = f"{shown(away[0])} was on a disk that is no longer mounted" if away else None
        for folder in gone if not doubt else []:
            del self._devices[folder]
        return self._result(ingested, known, doubt)

    def remove_gone(self) -> int:
        """Remove the points of the files that were found to be gone, now that nothing waits to be ingested.

        A picture that moved may still want the vector of the point under its old name: so it costs no model. Where
        something always waits, they go after a while all the same. Returns how many points there were.
        """
        overdue = self._gone_since is not None and time.monotonic() - self._gone_since > GONE_SECONDS
        if not self._gone or (len(self._pending) and not overdue) or self._interrupts.stopping:
            return 0
        gone, self._gone, self._gone_since = list(self._gone), {}, None
        return remove(self._stack, gone, self._root, self._identity)

    def _ingest(self, files: Callable[[PassedOver], Iterator[FileRef]]) -> tuple[Outcome, list[Failure]]:
        begin = time.monotonic()
        passed_over = PassedOver()

        def remembered() -> Iterator[FileRef]:
            for file in files(passed_over):
                path = path_of(file.uri) or b""
                self._remember(path)
                if self._untold is not None:
                    self._untold.add(path)
                yield file

        source = Source(self._root, remembered, passed_over)
        run = IngestRun([source], self._settings, self._console, self._stack, self._interrupts, begin)
        outcome = run.run()
        # A file that was there and is gone again has not failed.
        failures = [] if not outcome.counts.failed else with_retries(run.ledger.failures, self._stack, self._say)
        failures = [failure for failure in failures if os.path.lexists(path_of(failure.uri) or b"")]
        if not failures and not outcome.interrupted:
            # A folder that changes all day would fill Redis with jobs that nobody asks about.
            with_retries(run.ledger.forget, self._stack, self._say)
            run.listing.discard()
        return outcome, failures

    def _say(self, sentence: str) -> None:
        self._console.print(Text(sentence), soft_wrap=True)

    def _everything_at_rest(self, passed_over: PassedOver) -> Iterator[FileRef]:
        now = time.time_ns()
        for file in scan(self._root, self._rules(), passed_over):
            if abs(now - file.mtime) < self._pending.settle_seconds * 1e9:
                # Nobody saw whether it is still being written.
                self._pending.add(path_of(file.uri) or b"")
            else:
                yield file

    def _files(self, paths: Iterable[bytes], passed_over: PassedOver) -> Iterator[FileRef]:
        """The pictures at and below these paths, each once; those that are not at rest have their turn later."""
        rules = self._rules()
        folders = [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]
        scanned = Folders(folders)
        for folder in folders:
            if not scanned.hold(os.path.dirname(folder)):
                within = rules.of_folder(os.fsdecode(folder))
                if within is None:
                    continue
                for file in scan(Path(os.fsdecode(folder)), within, passed_over):
                    if (path_of(file.uri) or b"") not in self._pending:
                        yield file
        for path in paths:
            is_file = has_picture_extension(path) and not scanned.hold(path) and not os.path.isdir(path)
            if is_file and not rules.excludes_path(os.fsdecode(path)):
                yield file_ref(path)

    def _rules(self) -> Exclusion:
        # Anew for each batch: an ignore file may have changed.
        return exclusion_of(self._root, self._settings.ingest.exclude, self._settings.data.dir)

    def _is_ours(self, path: bytes) -> bool:
        # A scan does not go through links to folders.
        above = os.path.dirname(path)
        return os.path.realpath(above) == os.path.realpath(bytes(self._root)) + above[len(bytes(self._root)) :]

    def _remember(self, path: bytes) -> None:
        folder = os.path.dirname(path)
        while folder not in self._devices and len(folder) >= len(bytes(self._root)):
            with suppress(OSError):
                self._devices[folder] = os.stat(folder).st_dev
            folder = os.path.dirname(folder)

    def _folder_of(self, uri: str) -> bytes:
        return os.path.dirname(path_of(uri) or b"")

    def _is_not_mounted(self, uri: str) -> bool:
        try:
            return os.stat(folder_above(path_of(uri) or b"/")).st_dev != self._devices[self._folder_of(uri)]
        except OSError:
            return True

    def _result(
        self, ingested: tuple[Outcome, list[Failure]] | None, gone: list[str], doubt: str | None
    ) -> dict[str, Any]:
        outcome, failures = ingested or (None, [])
        counts = outcome.counts if outcome else Counts()
        if gone and not doubt:
            self._gone.update(dict.fromkeys(gone))
            self._gone_since = self._gone_since or time.monotonic()
        return {
            "stored": counts.stored,
            "reused": counts.reused,
            "failed": len(failures),
            "removed": 0,
            "kept": f"{len(gone):,} files seem to be gone and were kept: {doubt}" if doubt else None,
            "failures": [_told(failure) for failure in failures[:LISTED_FAILURES]],
            "job": outcome.job if outcome and failures else None,
            "seconds": round(outcome.seconds, 3) if outcome else 0.0,
        }


def _told(failure: Failure) -> dict[str, Any]:
    return {"uri": failure.uri, "path": local_path(failure.uri), "reason": failure.reason}
