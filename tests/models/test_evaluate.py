"""The measurement of the checkpoints: it is right about good ones, and it finds out bad ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.evaluate import HERE, evaluate, main
from models.train import new_blip, new_clip

CLIP, BLIP = HERE / "shapes-clip", HERE / "shapes-blip"


def test_the_shipped_checkpoints_name_and_find_unseen_scenes() -> None:
    found = evaluate(CLIP, BLIP, count=60, seed=11)
    assert found["captions_exact"] >= 0.9
    assert found["words_exact"] >= found["captions_exact"]
    assert found["clip_recall_at_1"] >= 0.8
    assert found["clip_recall_at_3"] >= found["clip_recall_at_1"]


def test_checkpoints_that_learned_nothing_get_no_credit(tmp_path: Path) -> None:
    torch.manual_seed(5)
    for name, (model, processor) in {"clip": new_clip(), "blip": new_blip()}.items():
        model.save_pretrained(tmp_path / name)
        processor.save_pretrained(tmp_path / name)
    found = evaluate(tmp_path / "clip", tmp_path / "blip", count=40, seed=11)
    assert found["captions_exact"] == 0
    assert found["clip_recall_at_1"] <= 0.2


def test_the_command_ends_with_one_line_of_json() -> None:
    command = [sys.executable, "-m", "models.evaluate", "--scenes", "10", "--seed", "3"]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=True)
    last = json.loads(done.stdout.splitlines()[-1])
    assert set(last) == {"captions_exact", "clip_recall_at_1", "scenes", "seed"}
    assert (last["scenes"], last["seed"]) == (10, 3)


def test_a_folder_without_a_checkpoint_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["models.evaluate", "--clip", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"{tmp_path} holds no checkpoint" in capsys.readouterr().err
