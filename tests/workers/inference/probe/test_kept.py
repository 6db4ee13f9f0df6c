"""The answers of the probe that are kept: read again for the same machine, and asked again for anything else."""

from pathlib import Path

import pytest

from settings import load_settings
from tasks.stack.paths import stack_paths
from workers.inference.probe import kept
from workers.inference.probe.fidelity import Fidelity
from workers.inference.probe.rows import Answer

ANSWER = Answer("int8", ("encoder.layers.3.fc1",), "a median cosine of 0.98", Fidelity(0.98, 0.95))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test."""
    settings = load_settings()
    own = settings.model_copy(update={"data": settings.data.model_copy(update={"dir": tmp_path})})
    monkeypatch.setattr(kept, "load_settings", lambda: own)
    return stack_paths(own).precisions


def test_an_answer_is_read_again_for_the_same_machine_and_checkpoint() -> None:
    key = kept.key("clip", "vit@1", "auto", 1, 2)
    assert kept.read(key) is None
    kept.write(key, ANSWER)
    assert kept.read(key) == ANSWER


@pytest.mark.parametrize(
    "changed",
    [
        ("blip", "vit@1", "auto", 1, 2),
        ("clip", "vit@2", "auto", 1, 2),
        ("clip", "vit@1", "int8", 1, 2),
        ("clip", "vit@1", "auto", 2, 1),
    ],
)
def test_another_question_has_no_answer(changed: tuple[str, str, str, int, int]) -> None:
    kept.write(kept.key("clip", "vit@1", "auto", 1, 2), ANSWER)
    assert kept.read(kept.key(*changed)) is None


def test_fewer_instructions_another_torch_and_another_processor_are_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [kept.key("clip", "vit@1", "auto", 1, 2)]
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    keys.append(kept.key("clip", "vit@1", "auto", 1, 2))
    monkeypatch.setattr(kept, "_version", lambda package: "0")
    keys.append(kept.key("clip", "vit@1", "auto", 1, 2))
    monkeypatch.setattr(kept, "processor", lambda: "another one")
    keys.append(kept.key("clip", "vit@1", "auto", 1, 2))
    assert len({str(key) for key in keys}) == 4


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"key": {}}', '{"answer": 1}', "\0"])
def test_a_broken_file_is_no_answer_and_is_written_anew(broken: str, data: Path) -> None:
    key = kept.key("clip", "vit@1", "auto", 1, 2)
    kept.write(key, ANSWER)
    (file,) = data.iterdir()
    file.write_text(broken)
    assert kept.read(key) is None
    kept.write(key, ANSWER)
    assert kept.read(key) == ANSWER


def test_an_answer_of_other_types_is_no_answer(data: Path) -> None:
    key = kept.key("clip", "vit@1", "auto", 1, 2)
    kept.write(key, ANSWER)
    (file,) = data.iterdir()
    right = file.read_text()
    for wrong in (right.replace('"int8"', "8"), right.replace("0.95", '"high"')):
        file.write_text(wrong)
        assert kept.read(key) is None


def test_without_a_folder_to_write_into_nothing_is_kept(data: Path) -> None:
    data.parent.mkdir(exist_ok=True)
    data.write_text("a file where the folder should be")
    key = kept.key("clip", "vit@1", "auto", 1, 2)
    kept.write(key, ANSWER)
    assert kept.read(key) is None
