"""A clock that a test moves on, so that no time has to pass."""

from types import ModuleType, SimpleNamespace

import pytest


class Clock:
    """What a module sees as the time since it has been given this clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
