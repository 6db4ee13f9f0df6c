"""Mistakes and missing services: one clear sentence each, its exit code, and no traceback."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from models.scenes import draw, fresh_scenes
from tests.conftest import ROOT
from tests.e2e.conftest import Home, free_port, wait_until
from tests.e2e.in_process import NULL
from workers.storage.embedded.catalog import EdgeCatalog

pytestmark = pytest.mark.e2e

PROGRESS = re.compile(r"\d+/(\d+|\?) · |the GPU worker is loading its models$")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    import random

    folder = tmp_path / "pictures"
    folder.mkdir()
    draw(fresh_scenes(1, 1)[0], random.Random(1), 64).save(folder / "a.png")
    return folder


def the_sentence(done: "subprocess.CompletedProcess[str]", exit_code: int) -> str:
    """The one line on stderr, after checks that it is one, that the exit code fits, and that nothing is on stdout."""
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    # On a slow machine a command tells now and then how far it is and what it waits for.
    lines = [line for line in done.stderr.strip().splitlines() if not PROGRESS.match(line)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert done.stdout == ""
    return lines[0]


def test_a_missing_folder(home: Home) -> None:
    assert "There is no folder /nowhere/at/all" in the_sentence(home.run("ingest", "/nowhere/at/all"), 2)


def test_a_file_where_a_folder_is_wanted(home: Home, pictures: Path) -> None:
    assert "is a file" in the_sentence(home.run("watch", str(pictures / "a.png")), 2)


def test_an_empty_folder_and_one_without_pictures(home: Home, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no picture" in the_sentence(home.run("ingest", str(empty)), 2)
    (empty / "notes.txt").write_text("nothing to see")
    assert "no picture" in the_sentence(home.run("ingest", str(empty)), 2)


def test_a_folder_without_read_permission() -> None:
    folder = Path(tempfile.mkdtemp(prefix="darkroom-closed-"))
    try:
        folder.chmod(0o000)
        # Root may read everything, so there the command runs as a user who may not.
        code = (
            "import os, sys\n"
            "if os.getuid() == 0:\n    os.setgid(65534); os.setuid(65534)\n"
            "from pathlib import Path\n"
            "from settings.errors import WrongUse\n"
            "try:\n    check_root(Path(sys.argv[1]))\n"
            "except WrongUse as error:\n    print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", f"from producer.ingest.sources.named_folder import check_root\n{code}", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "cannot be read: you have no permission" in done.stdout
    finally:
        folder.chmod(0o700)
        folder.rmdir()


def test_a_model_folder_that_is_not_there(home: Home, pictures: Path) -> None:
    done = home.run("ingest", str(pictures), DARKROOM__MODELS__CLIP="./no-such-model")
    assert "no-such-model" in the_sentence(done, 2)


def test_a_hub_out_of_reach_says_what_to_do(home: Home, pictures: Path) -> None:
    done = home.run(
        "ingest",
        str(pictures),
        DARKROOM__MODELS__CLIP="openai/clip-vit-base-patch32",
        HF_HUB_OFFLINE="0",
        HF_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        HF_HOME=str(pictures.parent / "empty-cache"),
    )
    sentence = the_sentence(done, 3)
    assert "openai/clip-vit-base-patch32" in sentence
    assert "models/shapes-clip" in sentence


def test_redis_down(home: Home, pictures: Path) -> None:
    port = free_port()
    done = home.run("ingest", str(pictures), DARKROOM__BROKER__URL=f"redis://:secret@127.0.0.1:{port}/0")
    sentence = the_sentence(done, 3)
    assert f"127.0.0.1:{port}" in sentence
    assert "secret" not in sentence


def test_qdrant_down_at_start(home: Home, pictures: Path) -> None:
    port = free_port()
    done = home.run("ingest", str(pictures), DARKROOM__QDRANT__URL=f"http://127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in the_sentence(done, 3)


def test_a_data_directory_that_cannot_be_one(home: Home, pictures: Path) -> None:
    home.data.write_text("a file stands here")
    assert str(home.data) in the_sentence(home.run("ingest", str(pictures)), 3)


def test_a_catalog_that_another_process_holds(home: Home, pictures: Path) -> None:
    home.settings.update(NULL)
    assert home.run("ingest", str(pictures)).returncode == 0
    wait_until(lambda: not (home.data / "stack.lock").exists())
    catalog = EdgeCatalog(home.data / "catalog", "pictures")
    try:
        assert catalog.count() == 1
        assert "in use" in the_sentence(home.run("ingest", str(pictures)), 3)
    finally:
        catalog.close()


def test_a_wrong_setting_names_the_key(home: Home, pictures: Path) -> None:
    assert "gpu.dtype" in the_sentence(home.run("ingest", str(pictures), DARKROOM__GPU__DTYPE="int3"), 2).lower()


def test_a_search_in_an_empty_collection_says_how_to_fill_it(home: Home) -> None:
    assert "python -m producer ingest" in the_sentence(home.run("search", "a red circle"), 2)


def test_a_job_that_nobody_knows(home: Home) -> None:
    assert "There is no job nope" in the_sentence(home.run("status", "nope"), 2)


def test_unreadable_and_special_files_fail_alone_by_name(home: Home, pictures: Path) -> None:
    home.settings.update(NULL)
    (pictures / "empty.jpg").touch()
    os.mkfifo(pictures / "pipe.jpg")
    (pictures / "gone.jpg").symlink_to("/nowhere.jpg")
    (pictures / "text.png").write_text("not a picture")
    shutil.copy(pictures / "a.png", pictures / "named-wrongly.jpg")
    done = home.json("ingest", str(pictures))
    assert (done["total"], done["stored"], done["failed"], done["exit"]) == (6, 2, 4, 1)
    reasons = {row["uri"].rsplit("/", 1)[-1]: row["reason"] for row in home.json("errors", done["job"])["errors"]}
    assert reasons == {
        "empty.jpg": "the file is empty",
        "pipe.jpg": "not a regular file but a named pipe",
        "gone.jpg": "the file is gone",
        "text.png": "its content is not a picture format that Darkroom reads",
    }
