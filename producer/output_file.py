"""A file that is there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from settings.errors import WrongUse


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """A new path beside `target` to write to; it takes the place of `target` once the block ends well.

    Raises WrongUse where there is no such folder or it cannot be written to.
    """
    target = target.expanduser()
    if target.is_dir():
        raise WrongUse(f"{target} is a folder: name a file in it.")
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.touch(exist_ok=False)
    except OSError as error:
        raise WrongUse(f"{target} cannot be written: {error.strerror}.") from None
    try:
        yield beside
        os.replace(beside, target)
    except OSError as error:
        raise WrongUse(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
