"""Settings: what wins over what, and how folders are found."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from settings import Settings, load_settings, settings_file
from settings.loading import ROOT
from tests.settings.conftest import Write


def test_the_shipped_file_holds_every_key_with_its_default_and_a_comment() -> None:
    text = (ROOT / "settings.toml").read_text()
    shipped = tomllib.loads(text)
    defaults = Settings.model_construct()
    assert set(shipped) == set(Settings.model_fields)
    for section, keys in shipped.items():
        model = getattr(defaults, section)
        assert set(keys) == set(type(model).model_fields)
        for key, value in keys.items():
            default = getattr(model, key)
            assert value == ("" if default is None else str(default) if isinstance(default, Path) else default)
    blocks = [block.strip().splitlines() for block in text.split("\n[")[1:]]
    for block in blocks:
        assert block[1].startswith("#"), f"[{block[0]} begins with a key that no comment explains"


def test_a_file_that_is_named_wins_over_the_one_in_the_working_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "settings.toml"
    here.write_text("[ingest]\nwindow = 7\n")
    assert load_settings().ingest.window == 7
    load_settings.cache_clear()
    assert settings_file() == here
    write("[ingest]\nwindow = 8\n")
    assert load_settings().ingest.window == 8


def test_without_any_other_file_the_one_beside_the_module_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_file() == ROOT / "settings.toml"
    assert load_settings().data.dir == ROOT / "data"


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[gpu]\nbatch_clip = 16\nbatch_blip = 4\n")
    monkeypatch.setenv("DARKROOM__GPU__BATCH_CLIP", "64")
    gpu = load_settings().gpu
    assert (gpu.batch_clip, gpu.batch_blip, gpu.loaders) == (64, 4, "auto")


def test_variables_reach_every_kind_of_value(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[gpu]\nbatch_clip = 16\n[models]\ncaptions = true\n")
    monkeypatch.setenv("DARKROOM__GPU__BATCH_CLIP", "auto")
    monkeypatch.setenv("DARKROOM__GPU__DEVICES", "0,1")
    monkeypatch.setenv("DARKROOM__MODELS__CAPTIONS", "false")
    monkeypatch.setenv("DARKROOM__QDRANT__API_KEY", "hunter2")
    monkeypatch.setenv("DARKROOM__PATHS__MAP", '{"/photos": "/mnt/nas"}')
    monkeypatch.setenv("DARKROOM__PATHS__ALLOWED", '["/photos", "s3://bucket"]')
    settings = load_settings()
    assert settings.gpu.batch_clip == "auto"
    assert settings.gpu.devices == "0,1"
    assert settings.models.captions is False
    assert (settings.paths.map, settings.paths.allowed) == ({"/photos": "/mnt/nas"}, ["/photos", "s3://bucket"])
    assert settings.qdrant.api_key is not None
    assert settings.qdrant.api_key.get_secret_value() == "hunter2"


def test_an_empty_variable_counts_as_unset(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[ingest]\nwindow = 7\n")
    monkeypatch.setenv("DARKROOM__INGEST__WINDOW", "")
    assert load_settings().ingest.window == 7


def test_an_empty_secret_in_the_file_is_no_secret(write: Write) -> None:
    write('[qdrant]\napi_key = ""\n[flower]\nbasic_auth = ""\n')
    assert load_settings().qdrant.api_key is None
    assert load_settings().flower.basic_auth is None


def test_a_relative_data_folder_counts_from_the_folder_of_the_file(write: Write) -> None:
    file = write('[data]\ndir = "../pictures-data"\n')
    assert load_settings().data.dir == file.parent.parent / "pictures-data"


def test_a_model_that_is_a_local_folder_becomes_an_absolute_path(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my-clip").mkdir()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "my-blip").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    write('[models]\nclip = "my-clip"\nblip = "my-blip"\n')
    models = load_settings().models
    assert (models.clip, models.blip) == (str(tmp_path / "my-clip"), str(elsewhere / "my-blip"))


def test_a_model_in_the_project_is_found_from_anywhere(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write('[models]\nclip = "models"\nblip = "nobody/has-this"\n')
    monkeypatch.chdir(file.parent)
    models = load_settings().models
    assert (models.clip, models.blip) == (str(ROOT / "models"), "nobody/has-this")


def test_importing_the_settings_imports_no_model_and_no_store() -> None:
    heavy = ("torch", "transformers", "qdrant_client", "qdrant_edge")
    code = f"import sys, settings; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
