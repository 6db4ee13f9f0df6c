"""`python -m workers check`: one line a thing, and an exit code."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import torch
from click.testing import CliRunner, Result
from kombu.connection import Connection
from safetensors.torch import load_file, save_file

from settings import load_settings
from settings.errors import WrongUse
from tasks.app import app
from tasks.queues import FILES
from tests.conftest import ROOT
from tests.own_settings import own_settings
from workers.cli import cli
from workers.inference.embedders.clip_layers import FirstTokenLayer

MODELS = f'[models]\nclip = "{ROOT}/models/shapes-clip"\nblip = "{ROOT}/models/shapes-blip"\n'


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for part in ("CLIP", "BLIP"):
        monkeypatch.delenv(f"DARKROOM__MODELS__{part}")
    yield
    load_settings.cache_clear()


def check(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, *options: str) -> Result:
    own_settings(folder, monkeypatch, text)
    return CliRunner().invoke(cli, ["check", *options])


def lines(result: Result) -> dict[str, str]:
    """check -> "state what it says"; several lines of one check are joined."""
    found: dict[str, str] = {}
    for line in result.stdout.splitlines():
        state, name, says = line.split(maxsplit=2)
        found[name] = found.get(name, "") + f"{state} {says}\n"
    return found


def test_a_machine_that_has_everything_is_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").touch()
    paths = f'[paths]\nmap = {{"/photos" = "{tmp_path}/pictures"}}\nallowed = ["/photos"]\n'
    result = check(tmp_path, monkeypatch, MODELS + paths, "--load")
    assert result.exit_code == 0
    found = lines(result)
    assert list(found) == ["broker", "qdrant", "clip", "blip", "device", "data", "map", "root"]
    assert all(line.startswith("ok ") for line in found.values())
    assert found["clip"].startswith("ok shapes-clip@")
    assert "gives 128 numbers" in found["device"]
    assert "writes captions" in found["device"]
    assert found["map"] == f"ok /photos is {tmp_path}/pictures\n"


def test_everything_that_is_missing_is_named_and_the_exit_code_is_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("a file in its place")
    (tmp_path / "empty").mkdir()
    text = (
        '[broker]\nurl = "redis://me:pa55@127.0.0.1:9/0"\n[qdrant]\nurl = "http://127.0.0.1:9"\n'
        '[models]\nclip = "nobody/has-this"\nblip = "./nowhere"\n[gpu]\ndevices = "97"\n'
        f'[paths]\nmap = {{"/photos" = "{tmp_path}/empty"}}\nallowed = ["{tmp_path}/none", "s3://bucket"]\n'
    )
    result = check(tmp_path, monkeypatch, text)
    assert result.exit_code == 3
    found = lines(result)
    assert found["broker"] == "bad Redis at redis://me:***@127.0.0.1:9/0 does not answer: start it or set broker.url.\n"
    assert found["qdrant"].startswith("bad Qdrant at http://127.0.0.1:9 does not answer")
    assert found["clip"].startswith("bad nobody/has-this is not on this machine and the Hugging Face hub cannot")
    assert found["blip"].startswith("bad There is no checkpoint folder ./nowhere")
    assert found["device"].startswith("bad gpu.devices asks for 97")
    assert found["data"].startswith("bad The data directory")
    assert found["map"].startswith(f"bad /photos is {tmp_path}/empty: an empty folder")
    assert found["root"].startswith(f"bad {tmp_path}/none: cannot be read (No such file or directory)")
    assert "pa55" not in result.output


def test_a_redis_that_could_lose_work_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_process: str, client: redis.Redis
) -> None:
    text = f'[broker]\nurl = "{redis_process}"\n[models]\nclip = "null"\ncaptions = false\n'
    found = lines(check(tmp_path, monkeypatch, text))
    assert found["broker"].startswith("note ")
    assert "noeviction; without its append-only file a restart loses" in found["broker"]
    assert found["clip"] == "ok null: no model\n"
    assert "blip" not in found
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        result = check(tmp_path, monkeypatch, text, "--json")
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert "drops data when it is full (allkeys-lru)" in answer["checks"][0]["says"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="here torch can use its device")
def test_a_device_that_torch_cannot_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-0000)'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = check(tmp_path, monkeypatch, MODELS)
    assert result.exit_code == 3
    assert lines(result)["device"].startswith(f"bad torch {torch.__version__} cannot use the device 0 (")
    result = check(tmp_path, monkeypatch, f'{MODELS}[gpu]\ndevices = "cpu"\n')
    assert result.exit_code == 0
    assert lines(result)["device"].startswith("ok gpu0 on CPU, ")


def test_a_folder_that_is_no_checkpoint_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "models" / "shapes-clip", tmp_path / "half", ignore=shutil.ignore_patterns("*.safetensors"))
    text = f'[models]\nclip = "{tmp_path}/half"\ncaptions = false\n'
    result = check(tmp_path, monkeypatch, text)
    assert result.exit_code == 3
    assert lines(result)["clip"].startswith(
        f"bad {tmp_path}/half is no checkpoint: it needs config.json and model.safe"
    )


def torn_clip(folder: Path) -> Path:
    """A CLIP whose file lacks a weight."""
    shutil.copytree(ROOT / "models" / "shapes-clip", folder)
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_checkpoint_that_lacks_a_weight_is_bad_when_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'[models]\nclip = "{torn_clip(tmp_path / "torn")}"\ncaptions = false\n'
    result = check(tmp_path, monkeypatch, text, "--load")
    assert result.exit_code == 3
    assert lines(result)["device"].startswith(
        f"bad models.clip = '{tmp_path}/torn' lacks 1 of the weights of a CLIPVisionModelWithProjection"
    )


def test_a_worker_with_such_a_checkpoint_ends_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_process: str
) -> None:
    models = f'[models]\nclip = "{torn_clip(tmp_path / "torn")}"\ncaptions = false\n'
    own_settings(tmp_path, monkeypatch, f'[broker]\nurl = "{redis_process}"\n{models}')
    worker = [sys.executable, "-m", "workers", "gpu", "--one", "gpu0"]
    done = subprocess.run(worker, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    told = "lacks 1 of the weights of a CLIPVisionModelWithProjection, such as visual_projection.weight"
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_model_that_runs_in_the_layers_of_the_library_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FirstTokenLayer, "forward", lambda self, states, *_, **__: states[:, 1:2])
    result = check(tmp_path, monkeypatch, MODELS, "--load")
    assert result.exit_code == 0
    device = lines(result)["device"]
    assert device.startswith("note ")
    assert "shapes-clip@" in device
    assert ": the layers of transformers are used, which are slower, because ours give a cosine of " in device
    assert "writes captions" in device


def test_how_full_redis_is_and_who_else_uses_its_database_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_process: str, client: redis.Redis
) -> None:
    text = f'[broker]\nurl = "{redis_process}"\n[models]\nclip = "null"\ncaptions = false\n'
    with app.connection_for_write() as ours:
        app.amqp.queues.new_missing(FILES)(ours.default_channel).declare()
    said = lines(check(tmp_path, monkeypatch, text))["broker"]
    assert "MB used, no maxmemory, noeviction" in said
    assert "another Celery application" not in said
    with Connection(redis_process.replace("unix://", "redis+socket://")) as theirs:
        theirs.SimpleQueue("mail").put("a message of somebody else")
    client.hset("unacked", "tag", "message")
    client.config_set("maxmemory", "3mb")
    try:
        said = lines(check(tmp_path, monkeypatch, text))["broker"]
    finally:
        client.config_set("maxmemory", "0")
    assert "MB of 3 MB used" in said
    assert "another Celery application uses this database (mail, unacked): its messages are left alone." in said


def test_a_database_that_is_no_number_is_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongUse, match="must name a database by its number"):
        own_settings(tmp_path, monkeypatch, '[broker]\nurl = "redis://h/queue"\n')
