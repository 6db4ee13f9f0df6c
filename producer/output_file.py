"""The files that commands write: each is checked before any work is done for it, and is there whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from settings.errors import WrongUse


def check_output(target: Path) -> Path:
    """The absolute path of a file to be written; raises WrongUse where it cannot be."""
    path = Path(os.path.abspath(os.path.expanduser(target)))
    place = _behind_links(path)
    if os.path.isdir(place):
        raise WrongUse(f"{path} is a folder: name a file in it.")
    if os.path.exists(place) and not os.path.isfile(place):
        raise WrongUse(f"{path} is a device or a pipe: name a file.")
    if not os.path.isdir(place.parent):
        raise WrongUse(f"{path} cannot be written: there is no folder {place.parent}.")
    if not _allows(place.parent, os.W_OK | os.X_OK) or (os.path.exists(place) and not _allows(place, os.W_OK)):
        raise WrongUse(f"{path} cannot be written: you have no permission.")
    return path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new path beside `target` to write to; it takes the place of `target` once the block ends well.

    Where `target` is a link, the file behind it is replaced and the link stays. The new file has the permissions of the
    one before. Raises WrongUse where `target` cannot be written.
    """
    path = check_output(target)
    place = _behind_links(path)
    part = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.touch(exist_ok=False)
        # While it is empty: who could not read the file before must not read this one. Some disks keep no permissions.
        with suppress(OSError):
            shutil.copymode(place, part)
        yield part
        os.replace(part, place)
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _allows(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
