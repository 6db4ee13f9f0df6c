"""The pictures of a group that are not the one to keep: which they are, and moving them out of the way and back."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from pictures.formats import RAW_KINDS
from pictures.uris import folder_of, name_of, path_of
from producer.collection.duplicates.search import Duplicates
from producer.collection.prune import delete_points
from producer.formatting import counted, readable_bytes, shown
from producer.ingest.sources.named_folder import absolute
from producer.records import Picture
from producer.stack import Stack
from settings.errors import WrongUse

# Cameras take a burst at two pictures a second or more.
BURST_SECONDS = 2.0
LIST_NAME = "moved-by-darkroom.jsonl"


def is_burst(group: Sequence[Picture]) -> bool:
    """True for pictures of one camera, each taken within BURST_SECONDS of another one."""
    cameras = {picture.payload.get("camera") for picture in group}
    times = [_time(picture) for picture in group]
    known = sorted(time for time in times if time is not None)
    if len(cameras) != 1 or None in cameras or len(known) < len(group):
        return False
    return all((after - before).total_seconds() <= BURST_SECONDS for before, after in pairwise(known))


def _time(picture: Picture) -> datetime | None:
    try:
        return datetime.fromisoformat(picture.payload["taken_at"]).replace(tzinfo=None)
    except (KeyError, TypeError, ValueError):
        return None


def is_stacked(one: Picture, other: Picture) -> bool:
    """True for the RAW file and the other file of one shot: the same folder and name, one of the two a RAW format."""
    names = [PurePosixPath(name_of(picture.uri)) for picture in (one, other)]
    kinds = [picture.payload.get("format") in RAW_KINDS for picture in (one, other)]
    return (
        folder_of(one.uri) == folder_of(other.uri)
        and names[0].stem.casefold() == names[1].stem.casefold()
        and names[0].suffix.casefold() != names[1].suffix.casefold()
        and kinds[0] != kinds[1]
    )


def others(result: Duplicates, bursts: bool) -> list[tuple[Picture, Picture]]:
    """Each picture that is not to be kept, with the one that is: the first of its group.

    What was shot as RAW beside the one that is kept stays with it, and pictures of a burst only count with `bursts`.
    """
    return [
        (picture, group[0])
        for group in result.groups
        if bursts or len({each.payload.get("sha256") for each in group}) == 1 or not is_burst(group)
        for picture in group[1:]
        if not is_stacked(group[0], picture)
    ]


@dataclass(frozen=True)
class Movement:
    """What was moved: from where to where; `left` is what was not, with the reason; `undo` the list to undo it by."""

    moved: list[tuple[str, str]]
    left: list[tuple[str, str]]
    bytes: int
    undo: str | None

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def move_others(
    pairs: Iterable[tuple[Picture, Picture]], folder: Path, dry_run: bool, same_bytes: bool, stack: Stack
) -> Movement:
    """Move pictures into a folder, each below it at the path that it has now, and take them out of the collection.

    Nothing is written over. A file is left where it is that has changed since it was ingested, or whose counterpart to
    keep is gone or, with `same_bytes`, has other bytes by now. What is moved is noted in LIST_NAME before it is.
    """
    target = absolute(folder)
    if target.exists() and not target.is_dir():
        raise WrongUse(f"{folder} is no folder.")
    moved: list[tuple[str, str]] = []
    left: list[tuple[str, str]] = []
    gone: list[str] = []
    total = 0
    for picture, kept in pairs:
        path, new = _paths(picture, target)
        if path is None or new is None or (reason := _reason(picture, kept, path, new, same_bytes)):
            left.append((shown(picture.uri), reason if path else "it is no file of this machine"))
            continue
        total += path.stat().st_size
        if not dry_run:
            try:
                _move(path, new, target / LIST_NAME)
            except OSError as error:
                left.append((str(path), f"it cannot be moved: {error.strerror}"))
                continue
            gone.append(picture.uri)
        moved.append((str(path), str(new)))
    delete_points(gone, stack)
    return Movement(moved, left, total, str(target / LIST_NAME) if gone else None)


def _paths(picture: Picture, target: Path) -> tuple[Path | None, Path | None]:
    raw = path_of(picture.uri)
    if raw is None:
        return None, None
    path = Path(os.fsdecode(raw))
    return path, target / path.relative_to(path.anchor)


def _reason(picture: Picture, kept: Picture, path: Path, new: Path, same_bytes: bool) -> str:
    """Why a file must stay; "" for nothing against it."""
    kept_path = path_of(kept.uri)
    try:
        facts = path.stat()
        if (facts.st_size, facts.st_mtime_ns) != (picture.payload.get("bytes"), picture.payload.get("mtime")):
            return "it has changed since it was ingested"
        if kept_path is None or not os.path.isfile(kept_path) or os.path.samefile(kept_path, path):
            return f"the one to keep is not there: {shown(kept.uri)}"
        if same_bytes and not _sha256(os.fsdecode(kept_path)) == _sha256(path) == picture.payload.get("sha256"):
            return f"its bytes are not those of {shown(kept.uri)}"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return f"there is a file already: {new}" if os.path.lexists(new) else ""


def _sha256(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move(path: Path, new: Path, list_file: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    with list_file.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(json.dumps({"from": str(path), "to": str(new)}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    shutil.move(path, new)


def undo(list_file: Path) -> Movement:
    """Move back what a list names; what is not there any more, or has something in its old place, is left.

    Raises WrongUse for a file that is no such list.
    """
    try:
        lines = [json.loads(line) for line in absolute(list_file).read_text(encoding="utf-8").splitlines() if line]
        pairs = [(Path(line["to"]), Path(line["from"])) for line in lines]
    except FileNotFoundError:
        raise WrongUse(f"There is no file {list_file}.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongUse(f"{list_file} is no list of moved files ({error}).") from None
    moved: list[tuple[str, str]] = []
    left: list[tuple[str, str]] = []
    total = 0
    for path, old in dict.fromkeys(pairs):
        if os.path.lexists(old) or not os.path.lexists(path):
            left.append((str(path), f"there is a file already: {old}" if os.path.lexists(old) else "it is not there"))
            continue
        try:
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, old)
        except OSError as error:
            left.append((str(path), f"it cannot be moved: {error.strerror}"))
            continue
        total += old.stat().st_size
        moved.append((str(path), str(old)))
    return Movement(moved, left, total, None)


def summary(movement: Movement, dry_run: bool) -> str:
    """What was moved, in a sentence."""
    files = f"{counted(len(movement.moved), 'file')}, {readable_bytes(movement.bytes)},"
    stays = f" {counted(len(movement.left), 'file')} stayed where they were." if movement.left else ""
    if dry_run:
        return f"{files} would be moved; nothing was.{stays}"
    back = f" Back again: python -m producer duplicates --undo {movement.undo}" if movement.undo else ""
    return f"{files} moved.{stays}{back}"
