"""Where the tests of the catalog keep their collections."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where the machine has room: each index of a new collection costs dozens of fsyncs."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as path:
        yield Path(path)
