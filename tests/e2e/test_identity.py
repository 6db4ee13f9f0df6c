"""What is computed and what is not: identity by content, counted by the worker that runs the models."""

import random
import shutil
from pathlib import Path

import pytest

from models.scenes import draw, fresh_scenes
from tests.e2e.conftest import Home, free_port

pytestmark = pytest.mark.e2e

COUNT = 8
NULL = {"DARKROOM__MODELS__CLIP": "null", "DARKROOM__MODELS__CAPTIONS": "false"}


def ingest(home: Home, folder: Path, *options: str, **env: str) -> tuple[int, int, int, int, int]:
    """Ingest; how many files were stored, reused and skipped, and how many of them CLIP and BLIP have seen."""
    done = home.json("ingest", str(folder), *options, **env)
    assert (done["failed"], done["exit"]) == (0, 0)
    job = home.json("status", done["job"])
    return done["stored"], done["reused"], done["skipped"], job["embedded"], job["captioned"]


def test_only_what_is_new_is_computed_and_a_new_model_begins_anew_when_asked_to(home: Home, tmp_path: Path) -> None:
    folder, other = tmp_path / "before", tmp_path / "other"
    for each, seed, count in ((folder, 11, COUNT), (other, 12, 1)):
        each.mkdir()
        for number, scene in enumerate(fresh_scenes(seed, count)):
            draw(scene, random.Random(number), 64).save(each / f"{number:02}.png")
    assert ingest(home, tmp_path, **NULL) == (COUNT + 1, 0, 0, COUNT + 1, 0)

    up = home.run("up", "--detach", "--port", str(free_port()), module="workers")
    assert up.returncode == 0, up.stderr
    try:
        refused = home.run("ingest", str(folder), DARKROOM__MODELS__CAPTIONS="false")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        for words in ("holds vectors of null ", "shapes-clip@", "--rebuild", "qdrant.collection"):
            assert words in refused.stderr
        rebuilt = home.run("ingest", str(folder), "--rebuild", DARKROOM__MODELS__CAPTIONS="false")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert f"{COUNT + 1} points of null are removed" in rebuilt.stderr
        assert f"ingest {tmp_path}" in rebuilt.stderr
        # The model is the same now, so --rebuild asked for once more begins nothing anew; captions are new.
        assert ingest(home, folder, "--rebuild") == (COUNT, 0, 0, 0, COUNT)
        renamed = folder.rename(tmp_path / "after")
        assert ingest(home, renamed) == (COUNT, COUNT, 0, 0, 0)
        shutil.copy(renamed / "00.png", renamed / "copy.png")
        (renamed / "01.png").rename(renamed / "moved.png")
        shutil.copy(other / "00.png", renamed / "02.png")
        assert ingest(home, renamed) == (3, 2, COUNT - 2, 1, 1)
    finally:
        home.run("down", module="workers")

    held = {uri.removeprefix(tmp_path.as_uri() + "/"): point.payload for uri, point in home.points().items()}
    assert len(held) == 2 * COUNT + 2
    assert {payload["clip_model"].split("@")[0] for payload in held.values()} == {"shapes-clip"}
    for fact in ("sha256", "caption"):
        assert held["after/copy.png"][fact] == held["after/00.png"][fact] == held["before/00.png"][fact]
    assert held["after/02.png"]["sha256"] != held["before/02.png"]["sha256"]
