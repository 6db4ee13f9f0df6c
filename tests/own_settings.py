"""Settings of one test's own: an embedded stack on an empty data directory, also for the processes it starts."""

from pathlib import Path

import pytest

from settings import Settings, load_settings


def own_settings(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = "") -> Settings:
    """Put `text` into a settings file in `folder`, data in `folder`/data, and make both the ones in force."""
    for variable in ("DARKROOM__DATA__DIR", "DARKROOM__BROKER__URL", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    file = folder / "settings.toml"
    file.write_text(text if "[data]" in text else f'{text}\n[data]\ndir = "data"\n', encoding="utf-8")
    monkeypatch.setenv("DARKROOM_SETTINGS", str(file))
    load_settings.cache_clear()
    return load_settings()


def hinder_redis(data: Path) -> None:
    """Let no Redis start on this folder of data: Redis 6 writes to a file of the one name, Redis 7 into the other."""
    (data / "appendonly.aof").mkdir(parents=True)
    (data / "appendonlydir").touch()
