"""The main path with real parts: CLI, Redis, GPU worker, storage worker and the embedded Qdrant, each a process."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.scenes import Scene, draw, fresh_scenes
from pictures.decode import decode
from tests.conftest import ROOT
from tests.e2e.conftest import Home
from workers.inference.clip import Clip

pytestmark = pytest.mark.e2e

BATCH = 8
Draw = Callable[[list[Scene], Path], dict[str, Scene]]


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(str(ROOT / "models" / "shapes-clip"), torch.device("cpu"), "auto", BATCH)


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
    assert (again["stored"], again["skipped"], again["failed"]) == (0, count - len(corrupt), len(corrupt))


def test_a_hundred_fresh_scenes_are_captioned_right_found_by_their_sentence_and_filed_under_their_own_name(
    home: Home, draw_scenes: Draw, scenes: list[Scene], tmp_path: Path, clip: Clip
) -> None:
    folder = tmp_path / "pictures"
    drawn = draw_scenes(scenes, folder)
    done = home.json("ingest", str(folder))
    assert done["stored"] == 100
    assert done["exit"] == 0
    points = {point.payload["name"]: point for point in home.points().values()}
    assert set(points) == set(drawn)
    exact = sum(points[name].payload["caption"] == scene.sentence for name, scene in drawn.items())
    assert exact >= 95
    names = list(drawn)
    alone = [decode((folder / name).read_bytes(), 10**8, clip.model_input, None).clip for name in names]
    expected = np.concatenate([clip.embed_pictures([pixels]) for pixels in alone])
    stored = np.stack([points[name].vector for name in names])
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
        answer = kept_home.json("search", scene.sentence, "-n", "3")
        assert answer["query"] == scene.sentence
        scores = [result["score"] for result in answer["results"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        found += any(result["uri"] == (tmp_path / name).as_uri() for result in answer["results"])
    assert found >= 5
    plain = kept_home.run("search", asked[0][1].sentence, "-n", "1")
    assert plain.returncode == 0
    assert asked[0][0] in plain.stdout


def test_a_second_ingest_enqueues_nothing_and_loads_no_model(home: Home, tmp_path: Path) -> None:
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


def test_orientation_is_applied_before_the_models_see_the_picture(home: Home, tmp_path: Path) -> None:
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
    assert home.json("ingest", str(folder))["stored"] == 3
    points = list(home.points().values())
    assert {point.payload["caption"] for point in points} == {scene.sentence}
    assert min(float(points[0].vector @ point.vector) for point in points) > 0.99


def test_the_stack_leaves_no_process_socket_or_lock_behind(home: Home, draw_scenes: Draw, tmp_path: Path) -> None:
    import psutil

    from settings import load_settings
    from tasks.stack_paths import stack_paths

    draw_scenes(some_scenes(2, seed=9), tmp_path / "pictures")
    assert home.json("ingest", str(tmp_path / "pictures"))["exit"] == 0
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("DARKROOM__DATA__DIR") == str(home.data)
    ]
    assert left == []
    settings = load_settings().model_copy(update={"data": load_settings().data.model_copy(update={"dir": home.data})})
    assert not stack_paths(settings).socket.exists()
