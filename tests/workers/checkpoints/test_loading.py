"""A checkpoint that cannot be had ends in one sentence of the right class."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipModel,
    CLIPConfig,
    CLIPForImageClassification,
    CLIPModel,
    PreTrainedModel,
)

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tests.conftest import ROOT
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.embedders.embedder import Embedder

CPU = torch.device("cpu")

# Loaded in a process of its own: where the hub is, its client reads once, when it is imported.
ASK = """
import json, sys, torch
from settings.errors import DarkroomError
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.embedders.embedder import Embedder
answers = []
for load in (lambda model: Embedder(model, torch.device("cpu"), "float32", 1).load_pictures(),
             lambda model: Embedder(model, torch.device("cpu"), "float32", 1).load_texts(),
             lambda model: checkpoint_captioner(model, torch.device("cpu"), "float32", 1, 10).load()):
    for model in sys.argv[1:]:
        try:
            load(model)
        except DarkroomError as error:
            answers.append([type(error).__name__, str(error)])
print(json.dumps(answers))
"""


class Hub(BaseHTTPRequestHandler):
    """A hub that has nothing: `empty/...` are repositories without a file, any other is none at all."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound" if self.path.startswith("/empty/") else "RepoNotFound")
        self.send_header("X-Error-Message", "not found")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing among the tests' own lines."""


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub that has nothing."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def ask_a_hub(address: str, home: Path, *models: str) -> list[list[str]]:
    """Class and sentence of the errors that both towers of CLIP, then BLIP, end with, `models` asked of a hub."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *models], env=environment, capture_output=True, text=True, check=True
    )
    return [list(answer) for answer in json.loads(done.stdout)]


def load(folder: str, kind: str) -> None:
    """Load all parts of a checkpoint."""
    if kind == "clip":
        clip = Embedder(folder, CPU, "float32", 1)
        clip.load_pictures()
        clip.load_texts()
    else:
        checkpoint_captioner(folder, CPU, "float32", 1, 10).load()


def refusal(folder: Path | str, kind: str = "clip") -> DarkroomError:
    """The error that loading a checkpoint ends with."""
    with pytest.raises(DarkroomError) as caught:
        load(str(folder), kind)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", ["clip", "blip"])
def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path, kind: str) -> None:
    error = refusal(tmp_path / "nowhere", kind)
    assert isinstance(error, WrongUse)
    assert str(error) == f"models.{kind} = {str(tmp_path / 'nowhere')!r}: there is no such folder."


@pytest.mark.parametrize("kind", ["clip", "blip"])
def test_a_folder_without_a_checkpoint_is_wrong_use(tmp_path: Path, kind: str) -> None:
    error = refusal(tmp_path, kind)
    assert isinstance(error, WrongUse)
    assert str(error).startswith(f"The checkpoint in {tmp_path} (models.{kind}) cannot be loaded: ")


@pytest.mark.parametrize("damage", ["weights cut off", "no weights", "no tokenizer", "config is no JSON"])
def test_a_damaged_checkpoint_is_wrong_use(tmp_path: Path, clip_folder: Path, damage: str) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    weights = folder / "model.safetensors"
    if damage == "weights cut off":
        weights.write_bytes(weights.read_bytes()[:100_000])
    elif damage == "no weights":
        weights.unlink()
    elif damage == "no tokenizer":
        for path in [*folder.glob("tokenizer*"), *folder.glob("*processor*")]:
            path.unlink()
    else:
        (folder / "config.json").write_text("{")
    error = refusal(folder)
    assert isinstance(error, WrongUse)
    assert str(error).startswith(f"The checkpoint in {folder} (models.clip) cannot be loaded: ")


def saved(folder: Path, model: PreTrainedModel, like: Path) -> Path:
    """A checkpoint of another class, with the tokenizer and the processor of a whole one."""
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("made_for", [BlipForImageTextRetrieval, BlipModel])
def test_a_blip_that_was_made_for_something_else_writes_no_captions(
    tmp_path: Path, blip_folder: Path, made_for: type[PreTrainedModel]
) -> None:
    folder = saved(tmp_path / "blip", made_for(BlipConfig.from_pretrained(blip_folder)), blip_folder)
    error = refusal(folder, "blip")
    assert isinstance(error, WrongUse)
    assert str(error).startswith(f"models.blip = {str(folder)!r} lacks ")
    assert " of the weights of a BlipForConditionalGeneration, such as text_decoder." in str(error)
    assert str(error).endswith(f" (it was made for {made_for.__name__}): name a whole checkpoint.")


def test_a_clip_that_was_made_for_something_else_embeds_nothing(tmp_path: Path, clip_folder: Path) -> None:
    folder = saved(tmp_path / "clip", CLIPForImageClassification(CLIPConfig.from_pretrained(clip_folder)), clip_folder)
    assert "of the weights of a CLIPVisionModelWithProjection, such as visual_projection.weight" in str(refusal(folder))


def changed_weights(folder: Path, like: Path, **changed: torch.Tensor | None) -> Path:
    """A checkpoint with other weights, or without those that are None."""
    shutil.copytree(like, folder)
    weights = load_file(folder / "model.safetensors")
    for name, value in changed.items():
        full = next(known for known in weights if known.replace(".", "_") == name)
        if value is None:
            del weights[full]
        else:
            weights[full] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_clip_that_lacks_one_weight_is_refused_by_its_name(tmp_path: Path, clip_folder: Path) -> None:
    folder = changed_weights(tmp_path / "clip", clip_folder, visual_projection_weight=None)
    assert str(refusal(folder)) == (
        f"models.clip = {str(folder)!r} lacks 1 of the weights of a CLIPVisionModelWithProjection, "
        "such as visual_projection.weight"
        " (it was made for CLIPModel): name a whole checkpoint."
    )


def test_a_weight_of_another_shape_is_refused_by_its_name(tmp_path: Path, clip_folder: Path) -> None:
    folder = changed_weights(tmp_path / "clip", clip_folder, visual_projection_weight=torch.zeros(64, 128))
    assert (
        " has in another shape 1 of the weights of a CLIPVisionModelWithProjection, such as visual_projection.weight"
        in str(refusal(folder))
    )


@pytest.mark.parametrize("projection", ["text_projection_weight", "visual_projection_weight"])
def test_a_tower_is_refused_for_its_own_weights_alone(tmp_path: Path, clip_folder: Path, projection: str) -> None:
    clip = Embedder(str(changed_weights(tmp_path / "clip", clip_folder, **{projection: None})), CPU, "float32", 1)
    whole, broken = clip.load_pictures, clip.load_texts
    if projection.startswith("visual"):
        whole, broken = broken, whole
    whole()
    with pytest.raises(WrongUse, match=projection.replace("_weight", r"\.weight")):
        broken()


def test_a_weight_that_no_embedding_depends_on_may_be_missing(tmp_path: Path, clip_folder: Path) -> None:
    folder = changed_weights(tmp_path / "clip", clip_folder, logit_scale=None)
    assert Embedder(str(folder), CPU, "float32", 1).notes == []


def test_weights_in_half_precision_are_computed_in_float32(tmp_path: Path, clip_folder: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "clip")
    CLIPModel.from_pretrained(clip_folder, dtype="float16").save_pretrained(tmp_path / "clip")
    clip = Embedder(str(tmp_path / "clip"), CPU, "float32", 1)
    assert {weight.dtype for weight in clip.vision()._model.parameters()} == {torch.float32}
    assert clip.embed_texts(["a red circle"]).dtype == np.float32


@pytest.mark.parametrize("file", ["config.json", "processor_config.json"])
def test_code_of_a_checkpoint_is_never_run_and_nobody_is_asked(
    tmp_path: Path, clip_folder: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail(question))
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    (folder / "theirs.py").write_text("raise SystemExit('their code was run')")
    known = json.loads((folder / file).read_text())
    if file == "config.json":
        known |= {"model_type": "theirs_clip", "auto_map": {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"}}
    else:
        known["image_processor"] |= {
            "image_processor_type": "TheirProcessor",
            "auto_map": {"AutoImageProcessor": "theirs.TheirProcessor"},
        }
    (folder / file).write_text(json.dumps(known))
    assert str(refusal(folder)) == (
        f"models.clip = {str(folder)!r} needs code of its own, which Darkroom never runs: name another checkpoint."
    )


@pytest.mark.parametrize("kind", ["clip", "blip"])
def test_a_hub_out_of_reach_is_a_missing_service_and_the_sentence_says_what_to_do(kind: str) -> None:
    error = refusal("nobody/never-downloaded", kind)
    assert isinstance(error, ServiceMissing)
    assert "the Hugging Face hub cannot be reached: connect once" in str(error)
    assert f"set models.{kind} to a local folder" in str(error)


def test_a_hub_that_knows_no_such_model_is_wrong_use(hub: str, tmp_path: Path) -> None:
    answers = ask_a_hub(hub, tmp_path, "nobody/nothing", "empty/repository")
    assert [kind for kind, _ in answers] == ["WrongUse"] * 6
    for number, setting in enumerate(("clip", "clip", "blip")):
        (_, nothing), (_, empty) = answers[2 * number : 2 * number + 2]
        assert nothing == (
            f"The Hugging Face hub has no model 'nobody/nothing' for you (models.{setting}): check its name or log in."
        )
        assert "'empty/repository'" in empty
        assert f"models.{setting}" in empty
        assert "cannot be reached" not in empty
