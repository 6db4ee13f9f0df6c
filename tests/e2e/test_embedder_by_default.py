"""A collection that was made with the default of earlier releases goes on with it, and the command says so."""

import shutil
from pathlib import Path

import pytest

from models.scenes import fresh_scenes
from settings.embedder import DEFAULT, FORMER
from tests.conftest import ROOT
from tests.e2e.conftest import Home
from tests.e2e.test_ingest import Draw

pytestmark = pytest.mark.e2e


def test_it_goes_on_with_its_embedder_and_says_so(home: Home, draw_scenes: Draw, tmp_path: Path) -> None:
    # As the hub's client keeps what it has downloaded.
    cached = tmp_path / "hub" / "hub" / f"models--{FORMER.replace('/', '--')}"
    shutil.copytree(ROOT / "models" / "shapes-clip", cached / "snapshots" / "1")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("1")
    home.settings |= {
        "HF_HOME": str(tmp_path / "hub"),
        "DARKROOM__MODELS__CAPTIONS": "false",
        "DARKROOM__STACK__LINGER_SECONDS": "60",
    }
    draw_scenes(fresh_scenes(3, 2), tmp_path / "pictures")
    first = home.run("ingest", str(tmp_path / "pictures"), DARKROOM__MODELS__CLIP=FORMER)
    assert (first.returncode, "goes on with it" in first.stderr) == (0, False), first.stderr
    then = home.run("ingest", str(tmp_path / "pictures"), DARKROOM__MODELS__CLIP="auto")
    assert then.returncode == 0, then.stderr
    assert f"was made with {FORMER} and goes on with it. A new one gets {DEFAULT}" in " ".join(then.stderr.split())
    assert "2 unchanged" in then.stderr + then.stdout
    assert home.run("down", module="workers", DARKROOM__MODELS__CLIP="auto").returncode == 0
