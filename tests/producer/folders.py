"""Folders to walk over."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def made(root: Path, *names: str) -> Path:
    """A folder with empty files of these names in it."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@contextmanager
def closed_folder() -> Iterator[Path]:
    """A folder that may be entered by all, and `closed` in it by nobody."""
    # Not below pytest's own folder, which lets nobody in but its owner.
    with tempfile.TemporaryDirectory() as name:
        root = made(Path(name), "a.jpg", "closed/b.jpg", "open/c.jpg")
        root.chmod(0o755)
        (root / "closed").chmod(0)
        yield root
        (root / "closed").chmod(0o755)
