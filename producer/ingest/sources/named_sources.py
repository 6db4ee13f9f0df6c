"""What the arguments of `ingest` mean: folders, pictures, archives, addresses and patterns, as sources of one job."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from pathlib import Path

from pictures.formats import EXTENSIONS_IN_WORDS, has_picture_extension
from pictures.uris import path_of, uri_of
from producer.ingest.sources.exclusion import Exclusion, PassedOver, exclusion_of
from producer.ingest.sources.named_folder import absolute
from producer.ingest.sources.roots import Files, OtherRoot, Source, find_root, require_allowed_place, root_uri
from producer.ingest.sources.scan import FileRef, file_ref
from settings import Settings
from settings.errors import WrongUse


@dataclass(frozen=True)
class _Named:
    """One name: the root of its files, and the files; of a single file its path, of a folder its rules."""

    root: Path | OtherRoot
    files: Files
    file: bytes | None = None
    rules: Exclusion | None = None


def sources_of(names: Sequence[str], settings: Settings) -> list[Source]:
    """The sources that a person means by some names: each file is in one of them only, and each has a picture.

    A file that is named by itself has the folder that it is in as its root. Raises WrongUse for a name that cannot be
    ingested, and where there is no picture in any of them.
    """
    passed_over = PassedOver()
    named = [_named(name, settings) for name in chain.from_iterable(map(_expanded, names))]
    sources: list[Source] = []
    earlier: list[_Named] = []
    for _, group in groupby(named, key=lambda each: each.root if each.file is not None else id(each)):
        members = list(group)
        source = _source(members, list(earlier), passed_over)
        earlier += members
        if source is not None:
            sources.append(source)
    if not named:
        raise WrongUse("Say what to ingest: a folder, a picture, a .zip file or an address.")
    if not sources:
        from producer.ingest.outcome import sentences

        places = dict.fromkeys(os.fsdecode(each.file) if each.file is not None else str(each.root) for each in named)
        raise WrongUse(
            f"There is no picture in {', '.join(places)}: looked for {EXTENSIONS_IN_WORDS} in it and "
            f"below it. {' '.join(sentences(passed_over))}".rstrip()
        )
    return sources


def lasting_name(name: str) -> str:
    """The name of a source by which it is found from any folder."""
    return name if "://" in name else str(absolute(Path(name)))


def _expanded(name: str) -> list[str]:
    """What a pattern like "2024/*.jpg" names, in the order of the names; whatever else is named, as it is."""
    place = os.path.expanduser(name)
    if "://" in name or os.path.lexists(place) or not glob.has_magic(name):
        return [name]
    if not (found := sorted(glob.glob(place, recursive=True))):
        raise WrongUse(f"There is nothing that the pattern {name} fits.")
    return found


def _named(name: str, settings: Settings) -> _Named:
    try:
        path = absolute(Path(name)) if "://" not in name and not name.lower().endswith(".zip") else None
        is_file = path is not None and path.is_file()
    except (OSError, RuntimeError, ValueError):  # told better below
        path, is_file = None, False
    if path is not None and is_file:
        require_allowed_place(uri_of(bytes(path)), str(path), settings)
        return _Named(path.parent, partial(_one_file, bytes(path)), bytes(path))
    root, files = find_root(name, settings)
    excluded = settings.ingest.exclude
    rules = exclusion_of(root, excluded, settings.data.dir) if isinstance(root, Path) else None
    return _Named(root, files, rules=rules)


def _one_file(path: bytes, passed_over: PassedOver) -> Iterator[FileRef]:
    if has_picture_extension(path):
        yield file_ref(path)
    else:
        passed_over.note_extension(os.fsdecode(os.path.basename(path)))


def _source(members: Sequence[_Named], earlier: Sequence[_Named], passed_over: PassedOver) -> Source | None:
    """The source of a folder, or of files of one, without what is in an earlier one; None where nothing is left."""
    root = members[0].root
    is_taken = _taken(earlier, root)

    def files(told: PassedOver) -> Iterator[FileRef]:
        seen: set[str] = set()
        for file in chain.from_iterable(member.files(told) for member in members):
            if (is_taken is None or not is_taken(file.uri)) and file.uri not in seen:
                if len(members) > 1:
                    seen.add(file.uri)
                yield file

    scan = files(passed_over)
    if (first := next(scan, None)) is None:
        return None
    count = None if isinstance(root, OtherRoot) else lambda: sum(1 for _ in files(PassedOver()))
    return Source(root, lambda: chain([first], scan), passed_over, count)


def _taken(earlier: Sequence[_Named], root: Path | OtherRoot) -> Callable[[str], bool] | None:
    """Whether a file below `root` is in an earlier source; None where none of them has to do with this root."""
    if isinstance(root, OtherRoot):
        return (lambda uri: True) if any(each.root == root for each in earlier) else None
    here = root_uri(root).rstrip("/") + "/"
    single = {uri_of(each.file) for each in earlier if each.file is not None and uri_of(each.file).startswith(here)}
    folders = []
    for each in earlier:
        above = root_uri(each.root).rstrip("/") + "/"
        if each.rules is not None and (above.startswith(here) or here.startswith(above)):
            folders.append((above, each.rules))
    if not single and not folders:
        return None

    def is_taken(uri: str) -> bool:
        path = os.fsdecode(path_of(uri) or b"")
        return uri in single or any(uri.startswith(above) and not rules.excludes_path(path) for above, rules in folders)

    return is_taken
