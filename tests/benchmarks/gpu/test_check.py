"""The check of a GPU, on the CPU: every line of its table is right, and a wrong device is found out."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu import check as gpu_check
from benchmarks.gpu import paths
from benchmarks.gpu.check import Rows, main, rows
from benchmarks.gpu.paths import Row, captions, graph, in_flight
from workers.inference.accelerators import CPU as CPU_KIND
from workers.inference.captioners.captioner import Captioner
from workers.inference.captioners.static_greedy import Step
from workers.inference.embedders.embedder import Embedder

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures and little time."""
    monkeypatch.setattr(gpu_check, "PICTURES", 8)
    monkeypatch.setattr(gpu_check, "LARGEST", 32)
    monkeypatch.setattr(gpu_check, "SECONDS", 0.05)
    monkeypatch.setattr(paths, "SCENES", 8)


@dataclass
class Two:
    """Two processes that give what one gives here, or something else."""

    shift: float = 0.0
    ended: int = 2

    def __call__(self, model: str) -> list[Rows]:
        embedder = Embedder(model, CPU, "float32", 8)
        right = embedder.embed_pictures(gpu_check.noise(embedder, 8))
        found: list[Rows] = [np.roll(right, 1, axis=1) if self.shift else right] * self.ended
        return found


def checked(clip_folder: Path, two: Two) -> dict[str, Row]:
    return {row.check: row for row in rows(CPU, str(clip_folder), two)}


def test_processes_that_disturb_each_other_are_found_out(clip_folder: Path) -> None:
    found = checked(clip_folder, Two(shift=1.0))
    assert [row.check for row in found.values() if not row.good] == ["two processes at once"]


def test_a_device_that_computes_something_else_is_found_out(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embed = Embedder.embed_pictures
    calls = []

    def wrong(own: Embedder, pictures: list[np.ndarray]) -> Rows:
        calls.append(len(pictures))
        found = embed(own, pictures)
        return found if len(calls) == 1 else np.roll(found, 1, axis=1)

    monkeypatch.setattr(Embedder, "embed_pictures", wrong)
    found = checked(clip_folder, Two())
    bad = {row.check for row in found.values() if not row.good}
    assert {"float32 against float32 on the CPU", "a batch out of memory is halved", "two batches in flight"} <= bad


def test_captions_of_other_words_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    caption = Captioner.caption
    calls: list[int] = []

    def wrong(own: Captioner, pictures: list[np.ndarray]) -> list[str]:
        calls.append(len(pictures))
        said = caption(own, pictures)
        return said if len(calls) == 1 else said[::-1]

    monkeypatch.setattr(Captioner, "caption", wrong)
    assert [row.good for row in captions(CPU)] == [False, True]


def test_a_recording_is_compared_with_steps_that_are_computed_as_they_come(blip: Captioner) -> None:
    dice = np.random.default_rng(1)
    shown = [dice.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(8)]
    assert graph(CPU, blip.loaded(), shown, lambda step: step).good

    def fails(step: Step) -> Step:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    def does_nothing(step: Step) -> Step:
        return lambda: None

    assert graph(CPU, blip.loaded(), shown, fails).figure == "it could not be recorded"
    for record in (fails, does_nothing):
        assert not graph(CPU, blip.loaded(), shown, record).good


def test_two_batches_in_flight_that_are_mixed_up_are_found_out(clip_folder: Path) -> None:
    embedder = Embedder(str(clip_folder), CPU, "float32", 8)
    pictures = gpu_check.noise(embedder, 8)
    right = embedder.embed_pictures(pictures)
    assert in_flight(embedder, pictures, right, 0.99).good
    assert not in_flight(embedder, pictures, np.roll(right, 1, axis=1), 0.99).good


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "kind_here", lambda: CPU_KIND)
    for arguments, kind in (([], "cuda"), (["--device", "mps"], "mps")):
        assert main(arguments) == 3
        assert capsys.readouterr().err.startswith(f"error: torch finds no device of the type {kind} here")


def test_a_device_that_computes_right_is_good_in_every_line_of_the_table(
    clip_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check, "embed_in_two", lambda device, model: Two()(model))
    assert main(["--device", "cpu", "--model", str(clip_folder)]) == 0
    *table, line = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + 11
    assert any("32 pictures did not fit, 8 did" in row for row in table)
    assert "of the bare model's" in table[-1]
    assert json.loads(line)["good"] == json.loads(line)["checks"] == 11
