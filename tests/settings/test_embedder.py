"""Which embedder "auto" is: that of the collection, or the default."""

import json
from pathlib import Path

import pytest

from settings import load_settings
from settings.embedder import DEFAULT, FORMER


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory whose settings name no embedder."""
    monkeypatch.setenv("DARKROOM__DATA__DIR", str(tmp_path))
    monkeypatch.setenv("DARKROOM__MODELS__CLIP", "auto")
    return tmp_path


def made_with(data: Path, embedder: str) -> None:
    """An embedded collection of this embedder, as the storage worker notes it."""
    (data / "catalog" / "pictures").mkdir(parents=True)
    (data / "catalog" / "pictures" / "about.json").write_text(json.dumps({"dim": 512, "clip_model": embedder}))


def embedder() -> str:
    """What the settings say now."""
    load_settings.cache_clear()
    models = load_settings().models
    load_settings.cache_clear()
    assert models.is_auto
    return models.clip


def test_a_new_collection_gets_the_default(data: Path) -> None:
    assert embedder() == DEFAULT


@pytest.mark.parametrize("name", [FORMER, "google/siglip2-base-patch32-256"])
def test_a_collection_goes_on_with_the_checkpoint_that_it_was_made_with(data: Path, name: str) -> None:
    made_with(data, name)
    assert embedder() == name


@pytest.mark.parametrize("name", ["shapes-clip@1a2b3c4d", "null"])
def test_the_name_of_what_is_on_no_hub_is_not_looked_for_there(data: Path, name: str) -> None:
    made_with(data, name)
    assert embedder() == DEFAULT


def test_a_file_that_says_nothing_of_a_checkpoint_decides_nothing(data: Path) -> None:
    made_with(data, FORMER)
    for text in ("", "[]", '{"clip_model": 5}'):
        (data / "catalog" / "pictures" / "about.json").write_text(text)
        assert embedder() == DEFAULT


def test_a_collection_on_a_server_is_not_that_of_this_folder(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_with(data, FORMER)
    monkeypatch.setenv("DARKROOM__QDRANT__URL", "http://host:6333")
    assert embedder() == DEFAULT


def test_who_names_an_embedder_gets_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_with(data, FORMER)
    monkeypatch.setenv("DARKROOM__MODELS__CLIP", DEFAULT)
    load_settings.cache_clear()
    models = load_settings().models
    load_settings.cache_clear()
    assert (models.clip, models.is_auto) == (DEFAULT, False)
