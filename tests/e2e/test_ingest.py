"""The main path with real parts: CLI, Redis, GPU worker, storage worker and the embedded Qdrant, each a process."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch

from models.scenes import Scene, draw, fresh_scenes
from pictures.decode import decode
from tests.conftest import ROOT
from tests.e2e.conftest import Home, wait_until
from tests.e2e.in_process import stack_on
from tests.e2e.ingests import WITHOUT_MODELS
from workers.inference.embedders.embedder import Embedder

pytestmark = pytest.mark.e2e

BATCH = 8
Draw = Callable[[list[Scene], Path], dict[str, Scene]]


@pytest.fixture(scope="module")
def clip() -> Embedder:
    return Embedder(str(ROOT / "models" / "shapes-clip"), torch.device("cpu"), "auto", BATCH)


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[Home]:
    """A home whose stack is kept up for the whole module; small batches, so that few files make many."""
    with stack_on(tmp_path_factory.mktemp("kept"), redis_process, {"DARKROOM__GPU__BATCH_CLIP": str(BATCH)}) as kept:
        yield kept


def stored_below(home: Home, folder: Path) -> dict[str, dict[str, Any]]:
    """What is stored of the pictures of a folder, the vector as well: name -> row of an export."""
    file = folder.with_suffix(".parquet")
    home.json("export", str(file), "--where", f"root={folder}")
    return {row["name"]: row for row in pyarrow.parquet.read_table(file).to_pylist()}


def some_scenes(count: int, seed: int) -> list[Scene]:
    return fresh_scenes(seed, count)


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7])
def test_n_files_in_n_accounted_for(kept_home: Home, draw_scenes: Draw, tmp_path: Path, count: int) -> None:
    names = list(draw_scenes(some_scenes(count, seed=count), tmp_path))
    corrupt = set(random.Random(count).sample(names, count // 4))
    for name in corrupt:
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = kept_home.json("ingest", str(tmp_path))
    assert (done["total"], done["stored"], done["failed"]) == (count, count - len(corrupt), len(corrupt))
    assert done["exit"] == (1 if corrupt else 0)
    errors = kept_home.json("errors", done["job"])["errors"]
    assert {row["uri"].rsplit("/", 1)[-1] for row in errors} == corrupt
    again = kept_home.json("ingest", str(tmp_path))
    assert (again["stored"], again["skipped"], again["failed"], again["exit"]) == (0, count, 0, 0)
    assert again["still_broken"] == len(corrupt)


def test_a_broken_file_that_has_not_changed_costs_no_model_and_no_exit_code_until_it_changes(
    lingering_home: Home, draw_scenes: Draw, tmp_path: Path
) -> None:
    home = lingering_home
    home.settings.update(WITHOUT_MODELS)
    folder = tmp_path / "pictures"
    draw_scenes(some_scenes(2, seed=1), folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    first = home.json("ingest", str(folder))
    assert (first["stored"], first["failed"], first["exit"]) == (2, 1, 1)
    (reason,) = (row["reason"] for row in home.json("errors", first["job"])["errors"])

    written = home.log("gpu0")
    again = home.run("ingest", str(folder))
    assert again.returncode == 0
    assert again.stdout.startswith("2 unchanged, 1 still broken: 3 files in ")
    assert home.log("gpu0") == written
    job = home.json("jobs", "-n", "1")["jobs"][0]
    assert (job["skipped"], job["still_broken"], job["failed"], job["embedded"]) == (3, 1, 0, 0)
    assert home.json("errors", job["job"])["errors"] == [
        {
            "uri": (folder / "broken.jpg").as_uri(),
            "path": str(folder / "broken.jpg"),
            "stage": "decode",
            "reason": reason,
            "still_broken": True,
        }
    ]

    os.utime(folder / "broken.jpg", (1, 1))
    touched = home.json("ingest", str(folder))
    assert (touched["failed"], touched["still_broken"], touched["exit"]) == (1, 0, 1)


def test_a_hundred_fresh_scenes_are_captioned_right_found_by_their_sentence_and_filed_under_their_own_name(
    kept_home: Home, draw_scenes: Draw, scenes: list[Scene], tmp_path: Path, clip: Embedder
) -> None:
    folder = tmp_path / "pictures"
    drawn = draw_scenes(scenes, folder)
    done = kept_home.json("ingest", str(folder))
    assert done["stored"] == 100
    assert done["exit"] == 0
    points = stored_below(kept_home, folder)
    assert set(points) == set(drawn)
    exact = sum(points[name]["caption"] == scene.sentence for name, scene in drawn.items())
    assert exact >= 95
    names = list(drawn)
    alone = [decode((folder / name).read_bytes(), 10**8, clip.model_input, None).clip for name in names]
    expected = np.concatenate([clip.embed_pictures([pixels]) for pixels in alone])
    stored = np.stack([np.asarray(points[name]["vector"], dtype=np.float32) for name in names])
    assert np.min(np.sum(expected * stored, axis=1)) > 0.9999
    texts = clip.embed_texts([drawn[name].sentence for name in names])
    ranks = (texts @ stored.T > np.sum(texts * stored, axis=1)[:, None]).sum(axis=1)
    assert np.mean(ranks < 3) >= 0.9


def test_search_finds_a_scene_by_its_sentence_through_the_running_stack(
    kept_home: Home, draw_scenes: Draw, tmp_path: Path
) -> None:
    drawn = draw_scenes(some_scenes(30, seed=31), tmp_path)
    kept_home.json("ingest", str(tmp_path))
    found = 0
    asked = list(drawn.items())[:6]
    for name, scene in asked:
        answer = kept_home.json("search", scene.sentence, "-n", "3", "--by", "meaning")
        assert answer["query"] == scene.sentence
        scores = [result["score"] for result in answer["results"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        found += any(result["uri"] == (tmp_path / name).as_uri() for result in answer["results"])
    assert found >= 5
    plain = kept_home.run("search", asked[0][1].sentence, "-n", "1")
    assert plain.returncode == 0
    assert asked[0][0] in plain.stdout


def test_a_query_that_is_too_long_for_the_model_is_answered_and_told(kept_home: Home, tmp_path: Path) -> None:
    (scene,) = some_scenes(1, seed=9)
    draw(scene, random.Random(9), 64).save(tmp_path / "only.png")
    kept_home.json("ingest", str(tmp_path))
    long = " ".join(300 * ["circle"])
    assert kept_home.json("search", long)["cut"] is True
    assert "the last ones of yours did not count" in kept_home.run("search", long).stderr
    assert "cut" not in kept_home.json("search", scene.sentence)


def test_a_second_ingest_enqueues_nothing_and_loads_no_model(home: Home, tmp_path: Path) -> None:
    home.settings.update(WITHOUT_MODELS)
    folder = tmp_path / "pictures"
    folder.mkdir()
    scene = some_scenes(1, seed=3)[0]
    for number in range(40):
        draw(scene, random.Random(number), 64).save(folder / f"{number:04}.png")
    assert home.json("ingest", str(folder))["stored"] == 40
    loads = home.log("gpu0").count("ready on")
    again = home.json("ingest", str(folder))
    assert (again["skipped"], again["stored"], again["exit"]) == (40, 0, 0)
    assert home.log("gpu0").count("ready on") == loads == 1


def test_a_copied_and_a_renamed_picture_keep_both_paths_and_cost_no_inference(
    kept_home: Home, draw_scenes: Draw, tmp_path: Path
) -> None:
    names = list(draw_scenes(some_scenes(4, seed=77), tmp_path))
    kept_home.json("ingest", str(tmp_path))
    shutil.copy(tmp_path / names[0], tmp_path / "copy.png")
    (tmp_path / names[1]).rename(tmp_path / "renamed.jpg")
    done = kept_home.json("ingest", str(tmp_path))
    assert (done["total"], done["stored"], done["reused"], done["skipped"]) == (5, 2, 2, 3)


def test_on_a_cpu_captions_come_behind_the_embeddings_and_embed_nothing_again(
    kept_home: Home, draw_scenes: Draw, tmp_path: Path
) -> None:
    before, folder = tmp_path / "before", tmp_path / "folder"
    for each in (before, folder):
        each.mkdir()
    # A worker that is up has said that it computes on a CPU, whichever test is the first of this stack.
    draw_scenes(some_scenes(1, seed=124), before)
    kept_home.json("ingest", str(before))
    drawn = draw_scenes(some_scenes(3, seed=123), folder)
    done = kept_home.json("ingest", str(folder), DARKROOM__INGEST__CAPTIONS="auto")
    captions = done["captions"]
    assert (done["stored"], captions["stored"], done["exit"]) == (3, 3, 0)
    first, second = (kept_home.json("status", job["job"]) for job in (done, captions))
    assert (first["embedded"], first["captioned"]) == (3, 0)
    assert (second["embedded"], second["captioned"]) == (0, 3)
    found = kept_home.json("search", "--where", f"folder={folder}")["results"]
    assert {row["name"]: row["caption"] for row in found} == {name: scene.sentence for name, scene in drawn.items()}
    never = kept_home.json("ingest", str(folder), "--captions", "never")
    assert (never["skipped"], "captions" in never) == (3, False)


def test_another_model_is_refused_by_name_and_nothing_is_mixed(
    kept_home: Home, draw_scenes: Draw, tmp_path: Path
) -> None:
    draw_scenes(some_scenes(3, seed=5), tmp_path / "pictures")
    kept_home.json("ingest", str(tmp_path / "pictures"))
    other = tmp_path / "other-clip"
    shutil.copytree(ROOT / "models" / "shapes-clip", other)
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config + " ")
    done = kept_home.run("ingest", str(tmp_path / "pictures"), DARKROOM__MODELS__CLIP=str(other))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "shapes-clip@" in done.stderr
    assert "other-clip@" in done.stderr


def test_orientation_is_applied_before_the_models_see_the_picture(kept_home: Home, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "turned"
    folder.mkdir()
    scene = next(scene for scene in some_scenes(50, seed=8) if scene.relation == "above")
    upright = draw(scene, random.Random(1), 192)
    for orientation, turn in ((1, None), (6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = upright.transpose(turn) if turn is not None else upright
        turned.save(folder / f"{orientation}.png", exif=exif)
    assert kept_home.json("ingest", str(folder))["stored"] == 3
    points = list(stored_below(kept_home, folder).values())
    assert [point["caption"] for point in points] == 3 * [scene.sentence]
    assert min(float(np.dot(points[0]["vector"], point["vector"])) for point in points) > 0.99


def test_the_stack_leaves_no_process_socket_or_lock_behind(home: Home, draw_scenes: Draw, tmp_path: Path) -> None:
    import psutil

    from settings import load_settings
    from tasks.stack.paths import stack_paths

    home.settings.update(WITHOUT_MODELS)
    draw_scenes(some_scenes(2, seed=9), tmp_path / "pictures")
    assert home.json("ingest", str(tmp_path / "pictures"))["exit"] == 0

    def left() -> list[str]:
        return [
            process.info["cmdline"]
            for process in psutil.process_iter(["cmdline", "environ"])
            if (process.info["environ"] or {}).get("DARKROOM__DATA__DIR") == str(home.data)
        ]

    wait_until(lambda: left() == [])
    settings = load_settings().model_copy(update={"data": load_settings().data.model_copy(update={"dir": home.data})})
    assert not stack_paths(settings).socket.exists()
