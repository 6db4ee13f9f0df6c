"""The Python client: everything that a command can do, as methods with typed results. The commands are thin over it.

A method imports what it needs: a question at a prompt need not wait for the imports of an ingest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from producer.collection.duplicates.methods import DuplicateMethods
from producer.jobs.methods import JobMethods
from producer.search.methods import Conditions, SearchMethods
from settings.errors import WrongUse

if TYPE_CHECKING:
    from producer.collection.export import Exported
    from producer.collection.forget import Forgotten
    from producer.collection.inference import Captions, Embeddings
    from producer.collection.move import Moved
    from producer.collection.prune import Pruned
    from producer.collection.sidecars import Written
    from producer.collection.stats import Stats
    from producer.collection.watching.watch import Tell
    from producer.ingest.outcome import Outcome
    from producer.jobs.view import Overview
    from producer.pages.layout import PlacedPictures
    from producer.pages.map import Map
    from producer.records import Point

MOVE_VARIABLE = "DARKROOM__QDRANT__MOVE_TO"


class Darkroom(SearchMethods, DuplicateMethods, JobMethods):
    """Everything that a command can do.

    As a context manager it brings the stack up when a method first needs it, shares it between the calls, and lets it
    go at the end; outside of a `with` block each call does so by itself. Many threads may call it at the same time, but
    ingest, retry, watch and move are for the main thread. Every method raises WrongUse for a mistake of the caller's
    and ServiceMissing when a part of the stack cannot come up, each with one sentence that says what to do.
    """

    def ingest(self, *sources: str | Path, rebuild: bool = False, captions: str | None = None) -> Outcome:
        """Embed, caption and store every picture of some sources, as one job, and wait for its end: folders, pictures,
        .zip files, buckets, addresses, or patterns like "2024/*.jpg".

        What the collection holds unchanged is passed over. With `rebuild` a collection of another CLIP model is made
        anew first. `captions` is "now", "later" (all pictures are embedded first, then a second job writes captions)
        or "never", by default as `ingest.captions` says. Ctrl-C stops it in two steps, as in the command.
        """
        from producer.ingest.sources.named_sources import sources_of
        from producer.ingest.start import CAPTIONS, ingest, ingest_then_caption, when_captions

        if captions is not None and captions not in CAPTIONS:
            raise WrongUse(f"captions is {', '.join(CAPTIONS)}, not {captions!r}.")
        begin = time.monotonic()
        found = sources_of(names := list(map(str, sources)), self.settings)
        with self._stack() as stack, stack.working():
            if (captions := captions or when_captions(self.settings, stack)) == "later":
                return ingest_then_caption(names, self.settings, stack, self.console, begin, rebuild)
            return ingest(found, self.settings, stack, self.console, begin, rebuild, names, captions == "now")

    def retry(self, job: str) -> Outcome | None:
        """Ingest the failed files of a job again, as a new job; None where no file failed."""
        from producer.ingest.start import retry

        begin = time.monotonic()
        with self._stack() as stack, stack.working():
            return retry(job, self.settings, stack, self.console, begin)

    def resume(self, job: str | None = None) -> Outcome | None:
        """Go on with a job that was interrupted or whose producer was killed: by default the latest one.

        It is a new job for the same source; None where no job was left.
        """
        from producer.ingest.start import resumable

        with self._stack():
            left = resumable(job, self.settings)
            return self.ingest(*left.sources) if left is not None else None

    def point(self, id: str) -> Point:
        """The point with this id; raises NotFound where the collection has none."""
        from producer.collection.point import point

        with self._stack() as stack:
            return point(id, stack)

    def embed(self, texts: Sequence[str] | None = None, *, images: Sequence[bytes] | None = None) -> Embeddings:
        """The embeddings of texts or of pictures (the bytes of their files), which need not be in the collection."""
        from producer.collection.inference import embed

        with self._stack() as stack:
            return embed(texts, images, stack)

    def caption(self, images: Sequence[bytes]) -> Captions:
        """The captions of pictures, each the bytes of a file."""
        from producer.collection.inference import caption

        with self._stack() as stack:
            return caption(images, stack)

    def stats(self) -> Stats:
        """What the collection holds: formats, years, cameras, lenses, folders, and the words of its captions."""
        from producer.collection.stats import stats

        with self._stack() as stack:
            return stats(stack)

    def facet(self, field: str, *, where: Conditions = (), limit: int = 10) -> dict[str, int]:
        """The values that a field has most often among the points that `where` fits, with how many have each."""
        from producer.collection.stats import facet, facet_field
        from producer.collection.where import parse_conditions

        name, conditions = facet_field(field), parse_conditions(where)
        with self._stack() as stack:
            return facet(name, conditions, limit, stack)

    def points(
        self, *, where: Conditions = (), fields: Sequence[str] | None = None, vectors: bool = False
    ) -> Iterator[Point]:
        """Every point that `where` fits, in the order of the ids, a page in memory at a time.

        `fields` names the payload fields that are wanted, None for all; with `vectors` each point has its embedding as
        float32 of (dim,), for which numpy must be installed.
        """
        from producer.collection.scroll import points
        from producer.collection.where import parse_conditions

        conditions = parse_conditions(where)
        with self._stack() as stack:
            yield from points(stack, conditions, None if fields is None else list(fields), vectors)

    def export(self, file: str | Path, *, where: Conditions = (), form: str | None = None) -> Exported:
        """Write the collection to a file: .parquet with the vectors, .csv or .jsonl (`form`, for "-") without them."""
        from producer.collection.export import check_export, export
        from producer.collection.where import parse_conditions

        target, conditions = Path(file), parse_conditions(where)
        check_export(target, form)
        with self._stack() as stack:
            return export(target, conditions, stack, form)

    def write_sidecars(
        self,
        directory: str | Path,
        *,
        where: Conditions = (),
        write: bool = False,
        replace_extension: bool = False,
    ) -> Written:
        """Write captions, concepts and places of the pictures below a folder into .xmp files beside them.

        Without `write` nothing is written: the answer tells what would be. Pictures are never touched, and of a sidecar
        that is there only what Darkroom has written.
        """
        from producer.collection.sidecars import write_sidecars
        from producer.collection.where import parse_conditions

        conditions = parse_conditions([*([where] if isinstance(where, str) else where), f"root={directory}"])
        with self._stack() as stack:
            return write_sidecars(conditions, write, replace_extension, stack)

    def map(self, file: str | Path, limit: int | None = None) -> Map:
        """Draw the collection, or `limit` of its pictures, on one HTML page: those that look alike lie close together.

        Without a limit it is as many as the layout is made for (POINTS in producer/pages/layout.py).
        """
        from producer.pages.layout import POINTS
        from producer.pages.map import check_map, collection_map

        path = check_map(Path(file))
        with self._stack() as stack:
            return collection_map(path, limit or POINTS, stack, self.console)

    def placed(self, limit: int | None = None) -> PlacedPictures:
        """What the map draws: pictures of the collection on a plane, those that look alike close together."""
        from producer.collection.filled import filled_collection
        from producer.pages.layout import POINTS, placed_pictures, require_layout

        require_layout()
        with self._stack() as stack:
            filled_collection(stack)
            return placed_pictures(stack, limit or POINTS)

    def prune(self, directory: str | Path, *, dry_run: bool = False, force: bool = False) -> Pruned:
        """Remove from the collection what is gone below a folder; pictures on disk are never touched.

        Refused where so much is gone that the disk may not be mounted, unless `force`.
        """
        from producer.collection.prune import folder_to_sweep, prune

        root = folder_to_sweep(directory, force)
        with self._stack() as stack:
            return prune(root, dry_run, force, stack)

    def forget(self, source: str | Path, *, excluded: bool = False, dry_run: bool = False) -> Forgotten:
        """Remove from the collection what lies at or below a place; pictures on disk are never touched.

        With `excluded` only what an ingest of that place leaves out by now.
        """
        from producer.collection.forget import forget, target_of

        target = target_of(str(source))
        with self._stack() as stack:
            return forget(target, excluded, dry_run, self.settings, stack)

    def move(self, url: str) -> Moved:
        """Copy the embedded collection to the Qdrant server at `url`; nothing is removed here."""
        from producer.collection.move import check_target, move

        check_target(url, self.settings)
        # For the storage worker of a stack that this call starts; one that stays up goes by its own settings.
        os.environ[MOVE_VARIABLE] = url
        qdrant = self.settings.qdrant.model_copy(update={"move_to": url})
        self.settings = self.settings.model_copy(update={"qdrant": qdrant})
        with self._stack() as stack:
            return move(url, stack, self.console)

    def watch(self, directory: str | Path, tell: Tell, *, poll: bool = False, settle: float = 2.0) -> None:
        """Keep the collection true to a folder until Ctrl-C; `tell` gets a dict for each batch of changes.

        A file is read once it was at rest for `settle` seconds; `poll` looks at the files every few seconds.
        """
        from producer.collection.watching.watch import check_watched, watch_folder

        root = check_watched(directory, self.settings)
        with self._stack() as stack, stack.working():
            watch_folder(root, poll, settle, self.settings, stack, self.console, tell)

    def status(self) -> Overview:
        """The collection, the queues, the faults of workers and the latest jobs."""
        from producer.collection.filled import too_many_for_embedded
        from producer.jobs.running import collection_now, running_stack
        from producer.jobs.view import overview
        from tasks.broker import redis_client

        with self._stack() as stack:
            client = redis_client(self.settings)
            now = overview(client, collection_now(stack, client), running_stack(stack.local))
            return replace(now, advice=too_many_for_embedded(now.collection["points"], self.settings.qdrant.url))
