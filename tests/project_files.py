"""The files of the project, and not what tools and runs have left between them."""

from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

LEFT = {".git", ".venv", "build", "dist", "data", "scratch", "__pycache__"}


def is_left(name: str) -> bool:
    """True for the name of a file or folder that is no part of the project."""
    return name in LEFT or name.endswith(("_cache", ".egg-info", ".hypothesis"))


def project_files(folder: Path = ROOT) -> Iterator[Path]:
    """All files of the project below a folder."""
    for path in sorted(folder.iterdir()):
        if not is_left(path.name):
            if path.is_dir():
                yield from project_files(path)
            else:
                yield path
