"""The Python client: everything that a command can do, as methods with typed results. The commands are thin over it."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from producer.collection.duplicates import Duplicates, duplicates
from producer.collection.export import Exported, check_export, export
from producer.collection.forget import Forgotten, forget, target_of
from producer.collection.move import Moved, check_target, move
from producer.collection.prune import Pruned, folder_to_sweep, prune
from producer.collection.scroll import points
from producer.collection.search import SearchResult, search, similar_query, text_query
from producer.collection.stats import Stats, stats
from producer.collection.watching.watch import Tell, check_watched, watch_folder
from producer.collection.where import parse_conditions
from producer.ingest.outcome import Outcome
from producer.ingest.start import ingest, retry, source_of
from producer.jobs.report import REPORT_FILE, Report, report
from producer.jobs.view import JobView, Overview, failed_files, job_list, job_status, overview
from producer.output_file import check_output
from producer.pages.map import POINTS, Map, check_map, collection_map
from producer.records import FailedFile, Job, Point, Records
from producer.stack import Stack, attached
from producer.waiting import collection_facts
from settings import load_settings
from settings.errors import WrongUse
from tasks.broker import redis_client

Conditions = str | Sequence[str]
MOVE_VARIABLE = "DARKROOM__QDRANT__MOVE_TO"


class Darkroom:
    """Everything that a command can do.

    As a context manager it brings the stack up when a method first needs it, shares it between the calls, and lets it
    go at the end; outside of a `with` block each call does so by itself. For one thread at a time. Every method raises
    WrongUse for a mistake of the caller's and ServiceMissing when a part of the stack cannot come up, each with one
    sentence that says what to do.
    """

    def __init__(self, settings: str | Path | None = None, console: Console | None = None) -> None:
        """`settings` names a settings file, for the whole process; progress goes to `console`, by default nowhere.

        Raises WrongUse where the settings are wrong, or where this process has read those of another file already.
        """
        if settings is not None:
            path = str(Path(settings).expanduser().absolute())
            if os.environ.get("DARKROOM_SETTINGS") != path:
                raise WrongUse(
                    "The settings are read once for each process, before this call: set DARKROOM_SETTINGS to "
                    f"{path} before Python starts."
                )
        self.settings = load_settings()
        self.console = console or Console(quiet=True)
        self._exits: ExitStack | None = None
        self._shared: Stack | None = None

    def __enter__(self) -> Self:
        self._exits = ExitStack()
        return self

    def __exit__(self, *error: Any) -> None:
        exits, self._exits, self._shared = self._exits, None, None
        if exits is not None:
            exits.__exit__(*error)

    @contextmanager
    def _stack(self) -> Iterator[Stack]:
        """The stack, shared inside of a `with` block, else for this call alone."""
        if self._exits is None:
            with attached(self.settings) as stack:
                yield stack
        else:
            self._shared = self._shared or self._exits.enter_context(attached(self.settings))
            yield self._shared

    def ingest(self, directory: str | Path, rebuild: bool = False) -> Outcome:
        """Embed, caption and store every picture below a folder, in a .zip file or in a bucket, and wait for the end.

        What the collection holds unchanged is passed over. With `rebuild` a collection of another CLIP model is made
        anew first. Ctrl-C stops it in two steps, as in the command.
        """
        begin = time.monotonic()
        source = source_of(str(directory), self.settings)
        with self._stack() as stack:
            return ingest(source, self.settings, stack, self.console, begin, rebuild)

    def retry(self, job: str) -> Outcome | None:
        """Ingest the failed files of a job again, as a new job; None where no file failed."""
        begin = time.monotonic()
        with self._stack() as stack:
            return retry(job, self.settings, stack, self.console, begin)

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | None = None,
        where: Conditions = (),
        limit: int = 10,
    ) -> SearchResult:
        """The pictures that look most like words or like a picture, best first; with neither, those that `where` fits.

        `where` is a condition like "taken>=2024-06", or several that must all hold (docs/search.md).
        """
        query = text_query(text, None if image is None else Path(image), _several(where), limit)
        if text is None and image is None and query.where is None:
            raise WrongUse("Say what to search for: words, a picture or a condition.")
        with self._stack() as stack:
            return search(query, stack)

    def similar(
        self, file: str | Path, *, where: Conditions = (), limit: int = 10, copies: bool = False
    ) -> SearchResult:
        """The pictures that look most like a file, which need not be in the collection; the file itself is never one.

        Byte-identical copies of it only with `copies`.
        """
        query = similar_query(Path(file), _several(where), limit, copies)
        with self._stack() as stack:
            return search(query, stack)

    def duplicates(self, near: float | None = None, *, where: Conditions = (), limit: int | None = None) -> Duplicates:
        """The pictures that are there more than once, in groups: with the same bytes, or with `near` looking the same.

        `near` is the least cosine similarity, above 0 and up to 1, like 0.95; `limit` is how many groups, None for all.
        """
        if near is not None and not 0 < near <= 1:
            raise WrongUse(f"near is a cosine similarity above 0 and up to 1, not {near:g}.")
        conditions = parse_conditions(_several(where))
        with self._stack() as stack:
            return duplicates(near, conditions, limit, stack, self.console)

    def stats(self) -> Stats:
        """What the collection holds: formats, years, cameras, lenses, folders, and the words of its captions."""
        with self._stack() as stack:
            return stats(stack)

    def points(
        self, *, where: Conditions = (), fields: Sequence[str] | None = None, vectors: bool = False
    ) -> Iterator[Point]:
        """Every point that `where` fits, in the order of the ids, a page in memory at a time.

        `fields` names the payload fields that are wanted, None for all; with `vectors` each point has its embedding as
        float32 of (dim,), for which numpy must be installed.
        """
        conditions = parse_conditions(_several(where))
        with self._stack() as stack:
            yield from points(stack, conditions, None if fields is None else list(fields), vectors)

    def export(self, file: str | Path, *, where: Conditions = ()) -> Exported:
        """Write the collection to a file: .parquet with the vectors, .csv or .jsonl without them."""
        target, conditions = Path(file), parse_conditions(_several(where))
        check_export(target)
        with self._stack() as stack:
            return export(target, conditions, stack)

    def map(self, file: str | Path, limit: int = POINTS) -> Map:
        """Draw the whole collection on one HTML page: pictures that look alike lie close together."""
        path = check_map(Path(file))
        with self._stack() as stack:
            return collection_map(path, limit, stack, self.console)

    def prune(self, directory: str | Path, *, dry_run: bool = False, force: bool = False) -> Pruned:
        """Remove from the collection what is gone below a folder; pictures on disk are never touched.

        Refused where so much is gone that the disk may not be mounted, unless `force`.
        """
        root = folder_to_sweep(Path(directory), force)
        with self._stack() as stack:
            return prune(root, dry_run, force, stack)

    def forget(self, source: str | Path, *, excluded: bool = False, dry_run: bool = False) -> Forgotten:
        """Remove from the collection what lies at or below a place; pictures on disk are never touched.

        With `excluded` only what an ingest of that place leaves out by now.
        """
        target = target_of(str(source))
        with self._stack() as stack:
            return forget(target, excluded, dry_run, self.settings, stack)

    def move(self, url: str) -> Moved:
        """Copy the embedded collection to the Qdrant server at `url`; nothing is removed here."""
        check_target(url, self.settings)
        # For the storage worker of a stack that this call starts; one that runs goes by its own settings.
        os.environ[MOVE_VARIABLE] = url
        with self._stack() as stack:
            return move(url, stack, self.console)

    def watch(self, directory: str | Path, tell: Tell, *, poll: bool = False, settle: float = 2.0) -> None:
        """Keep the collection true to a folder until Ctrl-C; `tell` gets a dict for each batch of changes.

        A file is read once it was at rest for `settle` seconds; `poll` looks at the files every few seconds.
        """
        root = check_watched(Path(directory), self.settings)
        with self._stack() as stack:
            watch_folder(root, poll, settle, self.settings, stack, self.console, tell)

    def status(self) -> Overview:
        """The collection, the queues, the faults of workers and the latest jobs."""
        with self._stack() as stack:
            return overview(redis_client(self.settings), collection_facts(stack))

    def jobs(self, limit: int = 20) -> Records[Job]:
        """The jobs of the last 30 days, the newest first."""
        with self._stack():
            return job_list(redis_client(self.settings), limit)

    def job(self, job: str) -> Job:
        """How one job is."""
        with self._stack():
            return job_status(redis_client(self.settings), job)

    def errors(self, job: str) -> Records[FailedFile]:
        """Every failed file of a job with its reason, in the order of the scan."""
        with self._stack() as stack:
            return failed_files(redis_client(self.settings), job, stack.local.data)

    def report(self, job: str, csv: str | None = None) -> Report:
        """What became of every file of a job; with `csv` a row a file is written there, "-" for the standard output."""
        if csv not in (None, "-"):
            check_output(Path(str(csv)), REPORT_FILE)
        with self._stack() as stack:
            return report(job, csv, self.settings, stack)

    @contextmanager
    def view(self, job: str | None = None) -> Iterator[JobView]:
        """How everything is, or one job, to be read again and again while the context is open."""
        with self._stack():
            view = JobView(redis_client(self.settings), job)
            try:
                yield view
            finally:
                view.close()


def _several(where: Conditions) -> Sequence[str]:
    return [where] if isinstance(where, str) else where
