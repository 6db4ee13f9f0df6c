"""Points whose files are gone: found by looking at every file that the collection holds below a folder."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pictures.uris import path_of, split
from producer.collection.scroll import pages
from producer.formatting import shown
from producer.ingest.sources.named_folder import absolute, check_root
from producer.records import local_path
from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import DELETE, FACET
from tasks.rpc import Question

ANSWER_SECONDS = 120.0
FOLDERS = 100_000
# Addresses in one message: some hundred kilobytes.
CHUNK = 1000
# So many pictures are soon computed again, so nobody is asked about them.
FEW = 100


@dataclass
class Sweep:
    """What a look at the files found: how many points were checked, whose files are gone, and what cannot be told."""

    checked: int = 0
    gone: list[str] = field(default_factory=list)
    unsure: int = 0

    def look_at(self, uri: str, path: bytes) -> None:
        """Check the file of one point."""
        self.checked += 1
        try:
            if is_gone(path):
                self.gone.append(uri)
        except OSError:
            # No permission, a share that does not answer: nothing says that the file is gone.
            self.unsure += 1

    def doubt(self) -> str | None:
        """Why so much being gone looks like a disk that is not there; None where it does not."""
        if len(self.gone) <= FEW:
            return None
        above = Counter(folder_above(path_of(_file_behind(uri)) or b"/") for uri in self.gone)
        for folder, files in above.most_common():
            if files > FEW and is_empty(folder):
                name = os.fsdecode(folder)
                return f"{files:,} of them were below {name}, which is there but empty, as when a disk is not mounted"
        return "that is more than half" if 2 * len(self.gone) > self.checked else None


@dataclass(frozen=True)
class Pruned:
    """What a look at the files below `folder` found and removed; `uris` are those that are gone, in a dry run only,
    in the order of their paths.

    `unsure` files could not be looked at and were kept.
    """

    folder: str
    checked: int
    gone: int
    removed: int
    unsure: int
    dry_run: bool
    uris: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names, and `paths`: those of `uris`, null for what is in an archive."""
        return {**asdict(self), "paths": [local_path(uri) for uri in self.uris]}


def prune(root: Path, dry_run: bool, force: bool, stack: Stack) -> Pruned:
    """Remove the points of files that are gone below `root`, a folder as `folder_to_sweep` makes it.

    Raises WrongUse, with nothing removed, where too much is gone, unless `force`.
    """
    identity = identity_of(root)
    sweep_result = sweep(stack, [bytes(root)])
    doubt = sweep_result.doubt()
    if doubt and not (force or dry_run):
        raise WrongUse(
            f"{len(sweep_result.gone):,} of {sweep_result.checked:,} files below {root} are gone, and {doubt}. Nothing "
            "was removed: look at them with --dry-run, and use --force if they are really gone."
        )
    return Pruned(
        folder=str(root),
        checked=sweep_result.checked,
        gone=len(sweep_result.gone),
        removed=0 if dry_run else remove(stack, sweep_result.gone, root, identity),
        unsure=sweep_result.unsure,
        dry_run=dry_run,
        uris=sorted(sweep_result.gone, key=shown) if dry_run else [],
    )


def folder_to_sweep(name: str | Path, force: bool = False) -> Path:
    """The folder as an absolute path; raises WrongUse where it is not there or empty, unless `force`."""
    folder = Path(name)
    if "://" in str(name):
        raise WrongUse(
            f"{name} is no folder of this machine, and prune looks at nothing else: `forget {name}` takes its pictures "
            "out of the collection."
        )
    if folder.suffix.lower() == ".zip" and folder.expanduser().is_file():
        raise WrongUse(
            f"{folder} is an archive: prune the folder that it is in, or take its pictures out of the collection with "
            f"`forget {folder}`."
        )
    if force and not folder.expanduser().exists():
        return absolute(folder)
    root = check_root(folder)
    if not force and is_empty(bytes(root)):
        raise WrongUse(
            f"The folder {root} is empty, as when a disk is not mounted. Nothing was removed: --force removes all that "
            "the collection holds below it."
        )
    return root


class Folders:
    """Some folders of this machine: what lies in them, and what they lie in, without a look at each of them."""

    def __init__(self, folders: Iterable[bytes]) -> None:
        self._folders = frozenset(folders)
        self._above: set[bytes] = set()
        for folder in self._folders:
            while (above := os.path.dirname(folder)) not in self._above and above != folder:
                self._above.add(above)
                folder = above

    def hold(self, path: bytes) -> bool:
        """True for one of the folders and for everything below one."""
        while path not in self._folders:
            above = os.path.dirname(path)
            if above == path:
                return False
            path = above
        return True

    def touch(self, folder: bytes) -> bool:
        """True where a folder is below one of these, or one of these below it."""
        return folder in self._above or self.hold(folder)


def sweep(stack: Stack, folders: Iterable[bytes]) -> Sweep:
    """Look at every file below these folders that the collection holds."""
    result = Sweep()
    swept = Folders(folders)
    roots = wait_for(Question(FACET, field="root", limit=FOLDERS), stack, ANSWER_SECONDS, "storage")
    related = [uri for uri, _ in roots if (path := path_of(_file_behind(uri))) is not None and swept.touch(path)]
    if not related:
        return result
    for page in pages(stack, {"all": [{"field": "root", "in": related}]}, ["uri"]):
        for payload in page.payloads:
            path = path_of(_file_behind(payload["uri"]))
            if path is not None and swept.hold(path):
                result.look_at(payload["uri"], path)
    return result


def identity_of(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one under its name, such as the place where it was mounted; None for none."""
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def remove(stack: Stack, uris: list[str], root: Path, identity: tuple[int, int] | None) -> int:
    """Delete the points of these files unless a file has come back meanwhile; returns how many points there were.

    Nothing more is deleted once `root` is not the folder any more that it was when they were found to be gone.
    """
    removed = 0
    for start in range(0, len(uris), CHUNK):
        still = [uri for uri in uris[start : start + CHUNK] if _is_surely_gone(uri)]
        if still and identity_of(root) == identity:
            removed += delete_points(still, stack)
    return removed


def delete_points(uris: Sequence[str], stack: Stack) -> int:
    """Delete the points of these files durably; returns how many there were.

    Raises ServiceMissing where no storage worker answers; a part of them may be deleted then.
    """
    chunks = (list(uris[start : start + CHUNK]) for start in range(0, len(uris), CHUNK))
    return sum(wait_for(Question(DELETE, uris=chunk), stack, ANSWER_SECONDS, "storage") for chunk in chunks)


def is_gone(path: bytes) -> bool:
    """True where there is no such file, or a folder in its place; raises OSError where that cannot be told."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True


def folder_above(path: bytes) -> bytes:
    """The nearest folder above a path that is there."""
    folder = os.path.dirname(path)
    while len(folder) > 1 and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def is_empty(folder: bytes) -> bool:
    """True for a folder that is there, can be listed and has nothing in it."""
    try:
        with os.scandir(folder) as listing:
            return next(listing, None) is None
    except OSError:
        return False


def _file_behind(uri: str) -> str:
    """The file that a picture is in: itself, or the archive of a member."""
    return split(uri)[1]


def _is_surely_gone(uri: str) -> bool:
    path = path_of(_file_behind(uri))
    try:
        return path is not None and is_gone(path)
    except OSError:
        return False
