"""Walk a folder: a stream of picture files, holding a bounded number of names at a time."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from pictures.facts.sidecar import EXTENSION as SIDECAR
from pictures.facts.sidecar import find_sidecar
from pictures.formats import has_picture_extension
from pictures.picture import int64
from pictures.uris import uri_of
from producer.ingest.sources.exclusion import Exclusion, PassedOver

# Names of one folder that are held to be sorted, some ten megabytes.
SORTED_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file as the scan saw it: its URI, its size in bytes, its modification time in nanoseconds.

    `sidecar` is the size and the modification time of its sidecar, None where it has none.
    """

    uri: str
    bytes: int
    mtime: int
    sidecar: tuple[int, int] | None = None


def scan(root: Path, rules: Exclusion, passed_over: PassedOver) -> Iterator[FileRef]:
    """Every picture below `root` by its extension that `rules`, those of `root`, do not exclude, in the order of the
    names: first the files of a folder, then those below its folders.

    A folder of more than SORTED_NAMES names is in the order that the directory has, because nobody can sort names
    without holding all of them; so what is in memory does not grow with the folder. Links to files are followed and
    keep the link's name; links to folders are not, so that a loop cannot hold the walk. A file that cannot be looked at
    (a broken link, a named pipe) is yielded all the same: the loader says why it fails. All else is counted in
    `passed_over`, and folders that cannot be entered are named there.
    """
    # A folder that is walked, and those that it is in, each with its rules.
    above = [(rules, _found_in(os.fsencode(root), rules, passed_over))]
    while above:
        here, found = above[-1]
        for is_folder, path, sidecars in found:
            if is_folder:
                try:
                    below = here.below(os.fsdecode(os.path.basename(path)))
                except ValueError as error:
                    passed_over.unreadable.append(f"{os.fsdecode(path)}: {error}")
                    continue
                above.append((below, _found_in(path, below, passed_over)))
                break
            yield file_ref(path, sidecars)
        else:
            above.pop()


def _found_in(
    folder: bytes, rules: Exclusion, passed_over: PassedOver
) -> Iterator[tuple[bool, bytes, set[bytes] | None]]:
    """The pictures and then the folders in a folder: (is a folder, path, the names of sidecars beside it if known)."""
    sidecars: set[bytes] = set()
    try:
        with os.scandir(folder) as listing:
            found = _sorted_out(listing, rules, passed_over, sidecars)
            held = sorted(islice(found, SORTED_NAMES))
            if len(held) == SORTED_NAMES:
                for is_folder, name in chain(held, found):
                    yield is_folder, os.path.join(folder, name), None
                return
    except OSError:
        passed_over.unreadable.append(os.fsdecode(folder))
        return
    known = sidecars if len(sidecars) < SORTED_NAMES else None
    for is_folder, name in held:
        yield is_folder, os.path.join(folder, name), known


def _sorted_out(
    listing: "Iterable[os.DirEntry[bytes]]", rules: Exclusion, passed_over: PassedOver, sidecars: set[bytes]
) -> Iterator[tuple[bool, bytes]]:
    for entry in listing:
        name = os.fsdecode(entry.name)
        if entry.is_dir(follow_symlinks=False):
            if rules.excludes(name, is_folder=True):
                passed_over.excluded_folders += 1
            else:
                yield True, entry.name
        elif _is_link_to_folder(entry):
            passed_over.linked_folders += not rules.excludes(name, is_folder=True)
        elif entry.name.lower().endswith(SIDECAR):
            if len(sidecars) < SORTED_NAMES:
                sidecars.add(entry.name)
        elif not has_picture_extension(entry.name):
            if not rules.excludes(name, is_folder=False):
                passed_over.note_extension(name)
        elif rules.excludes(name, is_folder=False):
            passed_over.excluded_files += 1
        else:
            yield False, entry.name


def file_ref(path: bytes, sidecars: set[bytes] | None = None) -> FileRef:
    """A file as it is now; size and time are -1 for one that cannot be looked at.

    `sidecars` are the names of those in its folder; without them the disk is asked for each that there may be.
    """
    try:
        facts = os.stat(path)
    except OSError:
        return FileRef(uri_of(path), -1, -1)
    found = find_sidecar(path, sidecars)
    return FileRef(uri_of(path), facts.st_size, int64(facts.st_mtime_ns), found and found[1])


def _is_link_to_folder(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False
