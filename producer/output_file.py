"""The files that commands write: each is checked before any work is done for it, and is there whole or not at all.

Nothing of the user's is written over: a file is named as its kind is, and one that exists is replaced only where
Darkroom has written it.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from settings.errors import WrongUse


@dataclass(frozen=True)
class FileKind:
    """A kind of file that commands write: its extensions, lower case, and what tells ours from those of others."""

    extensions: tuple[str, ...]
    is_ours: Callable[[BinaryIO], bool]

    def fits(self, path: Path) -> bool:
        """True where the name ends as this kind of file does."""
        return path.suffix.lower() in self.extensions


def begins_with(line: bytes) -> Callable[[BinaryIO], bool]:
    """What tells our files by their first bytes."""
    return lambda file: file.read(len(line)) == line


def check_output(target: Path, kind: FileKind) -> Path:
    """The absolute path of a file of this kind to be written; raises WrongUse where it cannot or must not be."""
    path = Path(os.path.abspath(os.path.expanduser(target)))
    place = _behind_links(path)
    if os.path.isdir(place):
        raise WrongUse(f"{path} is a folder: name a file in it.")
    if os.path.exists(place) and not os.path.isfile(place):
        raise WrongUse(f"{path} is a device or a pipe: name a file.")
    if not kind.fits(path):
        raise WrongUse(f"{path} is no name for such a file: name one that ends in {' or '.join(kind.extensions)}.")
    if not os.path.isdir(place.parent):
        raise WrongUse(f"{path} cannot be written: there is no folder {place.parent}.")
    if not _allows(place.parent, os.W_OK | os.X_OK) or (os.path.exists(place) and not _allows(place, os.W_OK)):
        raise WrongUse(f"{path} cannot be written: you have no permission.")
    _check_ours(path, place, kind)
    return path


@contextmanager
def replacing(target: Path, kind: FileKind) -> Iterator[Path]:
    """A new path beside `target` to write to; it takes the place of `target` once the block ends well.

    Where `target` is a link, the file behind it is replaced and the link stays. The new file has the permissions of the
    one before. Raises WrongUse where `target` cannot be written, or is a file that Darkroom has not written.
    """
    path = check_output(target, kind)
    place = _behind_links(path)
    part = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.touch(exist_ok=False)
        # While it is empty: who could not read the file before must not read this one. Some disks keep no permissions.
        with suppress(OSError):
            shutil.copymode(place, part)
        yield part
        # Minutes may have passed since the first look.
        _check_ours(path, place, kind)
        os.replace(part, place)
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _check_ours(path: Path, place: Path, kind: FileKind) -> None:
    """Raise WrongUse for a file that exists and that Darkroom has not written; an empty one is nobody's."""
    try:
        with place.open("rb") as file:
            ours = not os.fstat(file.fileno()).st_size or kind.is_ours(file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WrongUse(f"{path} exists and cannot be read: {error.strerror or error}. Name another file.") from error
    if not ours:
        raise WrongUse(f"{path} exists and Darkroom has not written it: name another file, or move that one away.")


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _allows(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
