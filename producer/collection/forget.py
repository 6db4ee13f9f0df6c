"""Points taken out of the collection because the user wants them out: all below a place, or what is excluded there."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pictures.uris import path_of, split, uri_of
from producer.collection.prune import ANSWER_SECONDS, FOLDERS, delete_points
from producer.collection.scroll import pages
from producer.formatting import shown
from producer.ingest.sources.exclusion import exclusion_of
from producer.ingest.sources.named_folder import absolute
from producer.ingest.sources.roots import address_of
from producer.records import local_path
from producer.stack import Stack
from producer.waiting import wait_for
from settings import Settings
from tasks.queues import FACET
from tasks.rpc import Question


@dataclass(frozen=True)
class Forgotten:
    """How many points there were at and below `place`, of them excluded ones where those alone were asked for, and how
    many were removed; `uris` are theirs, in a dry run only.
    """

    place: str
    points: int
    removed: int
    dry_run: bool
    uris: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names, and `paths`: those of `uris`, null for what is no file of this machine."""
        return {**asdict(self), "paths": [local_path(uri) for uri in self.uris]}


@dataclass(frozen=True)
class Target:
    """A place as a person names it, and the addresses of what lies at it and below it."""

    name: str
    uri: str
    folder: Path | None

    def holds(self, uri: str) -> bool:
        """True for a picture at or below the place, or in an archive that is."""
        return uri == self.uri or any(_is_below(self.uri, address) for address in _places(uri))


def target_of(name: str) -> Target:
    """The place that a person means; it need not be there. Raises WrongUse for a name that is none."""
    if "://" in name:
        return Target(name, address_of(name), None)
    path = absolute(Path(name))
    return Target(str(path), uri_of(bytes(path)), path)


def forget(target: Target, excluded: bool, dry_run: bool, settings: Settings, stack: Stack) -> Forgotten:
    """Remove the points at and below a place, with `excluded` only what an ingest of that folder would leave out.

    Files stay as they are. Raises WrongUse where the rules of exclusion cannot be read.
    """
    is_excluded = _rules(target, settings) if excluded else None
    held = (uri for uri in _held(target, stack) if target.holds(uri))
    uris = sorted((uri for uri in held if is_excluded is None or is_excluded(uri)), key=shown)
    removed = 0 if dry_run else delete_points(uris, stack)
    return Forgotten(target.name, len(uris), removed, dry_run, uris if dry_run else [])


def _held(target: Target, stack: Stack) -> Iterator[str]:
    """The addresses of all pictures whose root has to do with a place."""
    roots = wait_for(Question(FACET, field="root", limit=FOLDERS), stack, ANSWER_SECONDS, "storage")
    related = [root for root, _ in roots if target.holds(root) or any(_is_below(a, target.uri) for a in _places(root))]
    if related:
        for page in pages(stack, {"all": [{"field": "root", "in": related}]}, ["uri"]):
            yield from (payload["uri"] for payload in page.payloads)


def _places(uri: str) -> tuple[str, str]:
    """The address itself, and that of the archive where it names a member of one."""
    return uri, split(uri)[1]


def _is_below(above: str, address: str) -> bool:
    return address == above or address.startswith(above if above.endswith("/") else above + "/")


def _rules(target: Target, settings: Settings) -> Callable[[str], bool]:
    """Whether an ingest would leave a picture out, by its address."""
    patterns, data = settings.ingest.exclude, settings.data.dir
    here = exclusion_of(target.folder, patterns, data)
    elsewhere = exclusion_of(None, patterns, data)

    def is_excluded(uri: str) -> bool:
        inner, outer = split(uri)
        if inner is not None:
            return elsewhere.excludes_path(inner)
        path = path_of(uri)
        if path is not None:
            return here.excludes_path(os.fsdecode(path))
        return elsewhere.excludes_path(unquote(outer.removeprefix(target.uri), errors="surrogateescape").lstrip("/"))

    return is_excluded
