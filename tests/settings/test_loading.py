"""Settings: what wins over what, and how folders are found."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import settings.loading
from settings import Settings, load_settings, settings_file
from settings.loading import ROOT
from tests.settings.conftest import Write, refusal


def test_the_shipped_file_holds_every_key_with_its_default_and_a_comment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "settings.toml").read_text()
    shipped = tomllib.loads(text)
    sections = Settings.model_fields
    assert {section: set(keys) for section, keys in shipped.items()} == {
        section: set(type(getattr(Settings.model_construct(), section)).model_fields) for section in sections
    }
    write(text)
    from_the_file = load_settings()
    write("")
    load_settings.cache_clear()
    assert load_settings() == from_the_file
    blocks = [block.strip().splitlines() for block in text.split("\n[")[1:]]
    for block in blocks:
        assert block[1].startswith("#"), f"[{block[0]} begins with a key that no comment explains"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own settings, empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "darkroom"
    folder.mkdir(parents=True)
    return folder


def test_a_file_that_is_named_wins_over_the_users_own_and_that_over_the_one_of_the_checkout(
    write: Write, config: Path
) -> None:
    assert settings_file() == ROOT / "settings.toml"
    own = config / "settings.toml"
    own.write_text("[ingest]\nwindow = 7\n")
    assert settings_file() == own
    assert load_settings().ingest.window == 7
    load_settings.cache_clear()
    write("[ingest]\nwindow = 8\n")
    assert load_settings().ingest.window == 8


def test_a_settings_file_in_the_working_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text('[default]\nname = "of another program"\n')
    monkeypatch.chdir(tmp_path)
    assert settings_file() == ROOT / "settings.toml"
    assert load_settings().ingest.window == 1000


def test_where_the_packages_are_installed_a_settings_file_beside_them_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text('[default]\nname = "of another program"\n')
    monkeypatch.setattr(settings.loading, "ROOT", tmp_path)
    assert settings_file() is None


def test_data_lie_in_the_users_data_folder_wherever_the_command_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert load_settings().data.dir == tmp_path / "share" / "darkroom"
    load_settings.cache_clear()
    monkeypatch.setenv("DARKROOM__DATA__DIR", str(tmp_path / "elsewhere"))
    assert load_settings().data.dir == tmp_path / "elsewhere"


def test_a_home_that_is_not_there_is_told(write: Write) -> None:
    write('[data]\ndir = "~nobody-has-this-name/data"\n')
    assert refusal() == "data.dir is ~nobody-has-this-name/data, and there is no such home folder: name another one."


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


def test_a_relative_data_folder_of_the_environment_counts_from_the_working_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('[data]\ndir = "data"\n')
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DARKROOM__DATA__DIR", "mine")
    assert load_settings().data.dir == tmp_path / "here" / "mine"


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
