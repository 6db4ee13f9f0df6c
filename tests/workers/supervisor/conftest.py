"""Settings and folders of a stack of the test's own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import Settings, load_settings
from tasks.stack.paths import StackPaths, stack_paths
from tests.own_settings import own_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The defaults, on an empty data directory."""
    yield own_settings(tmp_path, monkeypatch)
    load_settings.cache_clear()


@pytest.fixture
def local(settings: Settings) -> Iterator[StackPaths]:
    """The places of the stack, made."""
    places = stack_paths(settings)
    places.create()
    yield places
    # It is outside of the test's own folder, where sockets have short paths.
    shutil.rmtree(places.runtime, ignore_errors=True)
