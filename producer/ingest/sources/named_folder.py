"""The folder that a person names, by one name however it was written, so that nothing is stored under two addresses."""

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from settings.errors import WrongUse


def check_root(root: Path) -> Path:
    """The folder to ingest as an absolute path; raises WrongUse when it is none that can be read."""
    try:
        root = absolute(root)
        if not stat.S_ISDIR(os.stat(root).st_mode):
            raise WrongUse(f"{root} is a file: name the folder it is in.")
        with os.scandir(root):
            return root
    except FileNotFoundError:
        raise WrongUse(f"There is no folder {root}.") from None
    except PermissionError:
        raise WrongUse(f"The folder {root} cannot be read: you have no permission.") from None
    except OSError as error:
        raise WrongUse(f"The folder {root} cannot be read: {error.strerror}.") from None
    except (RuntimeError, ValueError) as error:  # "~" of a user who is not there, a zero byte
        raise WrongUse(f"{str(root)!r} names no folder: {error}.") from None


def absolute(path: Path) -> Path:
    """The one absolute path of what a person names; links keep their names. It need not be there."""
    # Two slashes at the beginning, which abspath keeps, are one to every system that we run on.
    return Path(as_listed("/" + os.path.abspath(path.expanduser()).lstrip("/")))


def as_listed(
    path: str,
    is_same: Callable[[str, str], bool] = os.path.samefile,
    names_in: Callable[[str], Iterable[str]] = os.listdir,
) -> str:
    """An absolute path with each name as its folder lists it, where a disk takes `pictures` and `Pictures` for one."""
    listed = "/"
    for name in path.split("/")[1:]:
        here = os.path.join(listed, name)
        if _has_other_spelling(listed, name, is_same):
            try:
                names = sorted(names_in(listed))
            except OSError:
                names = [name]
            if name not in names:
                name = next((other for other in names if _folded(other) == _folded(name)), name)
                here = os.path.join(listed, name)
        listed = here
    return listed


def _has_other_spelling(folder: str, name: str, is_same: Callable[[str, str], bool]) -> bool:
    """True where the disk finds the same file under the name with upper and lower case exchanged."""
    other = name.swapcase()
    if other == name:
        return False
    try:
        return is_same(os.path.join(folder, name), os.path.join(folder, other))
    except (OSError, ValueError):
        return False


def _folded(name: str) -> str:
    # macOS also finds a name by the other forms of its accents.
    return unicodedata.normalize("NFC", name).casefold()
