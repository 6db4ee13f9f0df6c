"""Checkpoints that are fetched from a hub, and the command that lists and fetches them."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workers.checkpoints.hub_double import hub
from workers.checkpoints.families import CAPTIONERS, EMBEDDERS
from workers.checkpoints.speed import write_speed

CLIP, BLIP = "nobody/shapes-clip", "nobody/shapes-blip"
MODELS = ROOT / "models"
# Larger than what the client reads at once, so that there is more than one word about it.
PADDING = 25_000_000

LOAD = """
import sys, json, torch
from workers.inference.embedders.embedder import Embedder
heard = []
clip = Embedder(sys.argv[1], torch.device("cpu"), "float32", 1, report=lambda *told: heard.append(told))
clip.load_texts()
print(json.dumps(heard))
"""


def environment(home: Path, address: str, **settings: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env |= {"HF_ENDPOINT": address, "HF_HOME": str(home / "cache"), "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
    return env | {"DARKROOM__DATA__DIR": str(home / "data"), **settings}


def models(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "workers", "models", *arguments], env=env, capture_output=True, text=True, timeout=120
    )


def listed(env: dict[str, str]) -> dict[str, dict[str, object]]:
    shown = models(env, "--json")
    assert shown.returncode == 0, shown.stderr
    return {row["name"]: row for row in json.loads(shown.stdout)["models"]}


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_checkpoint_that_is_not_here_is_downloaded_and_the_progress_is_told(tmp_path: Path) -> None:
    repository = shutil.copytree(MODELS / "shapes-clip", tmp_path / "repository")
    # A file that Darkroom reads for its name, and nobody for what is in it.
    (repository / "more.txt").write_bytes(b"x" * PADDING)
    (repository / "flax_model.msgpack").write_bytes(b"no file for Darkroom")
    with hub({CLIP: repository}) as address:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, CLIP],
            env=environment(tmp_path, address), capture_output=True, text=True, check=True,
        )  # fmt: skip
    heard = json.loads(done.stdout.splitlines()[-1])
    downloads = [progress for what, progress in heard if what == f"downloading {CLIP}"]
    assert heard[0] == ["loading the model for texts", ""]
    assert heard[-1] == ["", ""]
    assert len(downloads) > 2
    megabytes = [int(progress.partition(" ")[0]) for progress in downloads]
    assert megabytes[-1] >= PADDING // 1_000_000
    assert downloads[-1].endswith(" MB")
    names = {path.name for path in (tmp_path / "cache").rglob("*")}
    assert "model.safetensors" in names
    assert "flax_model.msgpack" not in names


def test_pull_fetches_what_the_settings_name_and_the_list_knows_it_then(tmp_path: Path) -> None:
    with hub({CLIP: MODELS / "shapes-clip", BLIP: MODELS / "shapes-blip"}) as address:
        env = environment(tmp_path, address, DARKROOM__MODELS__CLIP=CLIP, DARKROOM__MODELS__BLIP=BLIP)
        before = listed(env)
        assert not before[CLIP]["on_disk"]
        assert not before["openai/clip-vit-base-patch32"]["is_set"]
        done = models(env, "pull")
        assert (done.returncode, done.stdout.splitlines()) == (
            0,
            [f"{CLIP} is on this machine now.", f"{BLIP} is on this machine now."],
        ), done.stderr
    write_speed(tmp_path / "data" / "speeds" / "gpu0.json", {CLIP: 0.5, "another": 2.0})
    write_speed(tmp_path / "data" / "speeds" / "gpu1.json", {CLIP: 0.25})
    after = listed(env)
    assert after[CLIP]["on_disk"]
    assert after[CLIP]["is_set"]
    assert after[BLIP]["on_disk"]
    assert (after[CLIP]["seconds_per_picture"], after[BLIP]["seconds_per_picture"]) == (0.25, None)
    # The hub is away by now, and is not asked for what is here.
    again = models(env, "pull", CLIP)
    assert (again.returncode, again.stdout) == (0, f"{CLIP} is on this machine.\n")
    (line,) = [line for line in models(env).stdout.splitlines() if CLIP in line]
    assert line.split() == ["*", CLIP, "CLIP", "on", "disk", "4.0/s"]


def test_the_list_needs_no_hub_and_says_size_and_languages(tmp_path: Path) -> None:
    env = environment(tmp_path, nowhere(), DARKROOM__MODELS__CLIP="openai/clip-vit-base-patch32")
    lines = models(env).stdout.splitlines()
    assert [line.split() for line in lines if "openai/clip-vit-base-patch32" in line] == [
        ["*", "openai/clip-vit-base-patch32", "CLIP", "605", "MB", "English"]
    ]
    assert [line.split()[:5] for line in lines if "blip-image-captioning-large" in line] == [
        ["Salesforce/blip-image-captioning-large", "BLIP", "1.9", "GB", "English"]
    ]


def sentence(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1].removeprefix("error: ")


def test_a_hub_that_is_away_is_a_missing_service(tmp_path: Path) -> None:
    done = models(environment(tmp_path, nowhere()), "pull", CLIP)
    assert sentence(done, 3).startswith(f"The Hugging Face hub cannot be reached, so {CLIP} was not downloaded: ")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody/nothing", "The Hugging Face hub has no model 'nobody/nothing' for you: check its name or log in."),
        ("nobody/bert", f"nobody/bert is a 'bert' checkpoint: Darkroom loads {EMBEDDERS}, and {CAPTIONERS}."),
        ("nobody/empty", "nobody/empty has no weights that Darkroom reads: name a whole checkpoint."),
        ("../models", "../models is a folder: name a checkpoint of the Hugging Face hub, such as openai/...."),
        ("no such name", "The Hugging Face hub has no model 'no such name' for you: check its name or log in."),
    ],
)
def test_what_is_no_checkpoint_is_wrong_use(tmp_path: Path, name: str, told: str) -> None:
    for kind in ("bert", "clip"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "config.json").write_text(json.dumps({"model_type": kind}))
    with hub({"nobody/bert": tmp_path / "bert", "nobody/empty": tmp_path / "clip"}) as address:
        assert sentence(models(environment(tmp_path, address), "pull", name), 2) == told
