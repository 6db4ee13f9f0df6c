"""In how many parts a batch is computed on many cores: measured once, and kept. The rates are told and not measured."""

from pathlib import Path

import pytest
import torch

from pictures.preprocessing import fit
from settings import load_settings
from tests.pictures.made.pictures import smooth
from workers.inference import hardware
from workers.inference.embedders import vision_tower
from workers.inference.embedders.vision_tower import VisionTower
from workers.inference.probe import parts


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test."""
    settings = load_settings()
    own = settings.model_copy(update={"data": settings.data.model_copy(update={"dir": tmp_path})})
    monkeypatch.setattr(parts, "load_settings", lambda: own)
    return tmp_path / "precisions"


@pytest.mark.parametrize(
    ("threads", "expected"), [(6, [4, 6]), (8, [4, 8]), (24, [4, 8, 16, 24]), (64, [4, 8, 16, 32, 64])]
)
def test_few_parts_of_many_threads_to_many_of_one_are_measured(threads: int, expected: list[int]) -> None:
    assert parts.options(threads, 4) == expected


@pytest.mark.parametrize(
    ("rates", "expected"),
    [({4: 10, 8: 15, 16: 12}, 8), ({4: 10, 8: 10.5, 16: 20}, 16), ({4: 10, 8: 10.9, 16: 10.9}, 4)],
)
def test_more_parts_must_be_clearly_faster(rates: dict[int, float], expected: int) -> None:
    asked: list[tuple[int, int]] = []

    def rate(count: int, threads: int) -> float:
        asked.append((count, threads))
        return rates[count]

    assert parts.fastest(16, 4, rate) == expected
    assert asked == [(4, 4), (8, 2), (16, 1)]


def test_what_was_measured_is_taken_from_the_next_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: 16)
    assert hardware.parallel_batches(load_settings(), "cpu") == (4, 4)
    parts.write(16, 8)
    assert hardware.parallel_batches(load_settings(), "cpu") == (8, 2)
    monkeypatch.setattr(hardware, "cores", lambda: 32)
    assert hardware.parallel_batches(load_settings(), "cpu") == (4, 8)


@pytest.mark.parametrize("broken", ["", "[]", '{"16": "8"}', '{"16": 17}', '{"16": 0}'])
def test_a_broken_file_is_no_answer(broken: str, data: Path) -> None:
    parts.write(16, 8)
    (file,) = data.iterdir()
    file.write_text(broken)
    assert parts.read(16) is None


def test_a_large_embedder_measures_it_when_it_is_loaded_and_computes_on(
    clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision_tower, "is_worth_it", lambda model: True)
    monkeypatch.setattr(vision_tower, "CPU_BATCH_CLIP", 1)
    heard: list[str] = []
    before = torch.get_num_threads()
    for _ in range(2):
        tower = VisionTower(str(clip_folder), torch.device("cpu"), "float32", 8, 6, lambda what, _: heard.append(what))
        assert tower.embed([fit(smooth(64, 64), tower.model_input)]).shape == (1, tower.dim)
    assert sum("in how many parts" in what for what in heard) == 1
    assert parts.read(6 * before) in parts.options(6 * before, 4)
    assert torch.get_num_threads() == before
