"""A small file system of a test's own, for what happens when it is full or may not be written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """`folder` as a disk of this size, in memory; skips the test where this process may not mount one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk is a mount of a tmpfs, which takes Linux and root")
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily, for a stack that a failed test left may still have its logs open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Let nobody write to a mounted disk any more, root included."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
