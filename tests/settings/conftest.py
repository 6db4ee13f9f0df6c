"""A settings file of each test's own, and an environment that says nothing about settings."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from settings import load_settings
from settings.errors import WrongUse
from settings.loading import PREFIX

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in [name for name in os.environ if name.upper().startswith(PREFIX) or name == "DARKROOM_SETTINGS"]:
        monkeypatch.delenv(variable)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a settings file and puts it in force."""

    def writer(text: str) -> Path:
        file = tmp_path / "mine.toml"
        file.write_text(text, encoding="utf-8")
        monkeypatch.setenv("DARKROOM_SETTINGS", str(file))
        return file

    return writer


def refusal() -> str:
    """The sentence that the settings in force are refused with."""
    with pytest.raises(WrongUse) as caught:
        load_settings()
    assert caught.value.exit_code == 2
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "a traceback could quote a secret"
    assert "\n" not in str(caught.value)
    return str(caught.value)
