"""The commands run in a folder of somebody else's, whose modules and settings must neither break them nor be run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import Home, free_port, wait_until
from tests.e2e.flower_site import LOGIN, Site, is_up
from tests.e2e.in_process import NULL

pytestmark = pytest.mark.e2e

# What `python -m` runs is by its own definition the package of this name in the working directory.
RUN_BY_NAME = {"producer", "workers"}
PACKAGES = {"settings", "tasks", "models"}
READ_BY_LIBRARIES = {"celeryconfig", "flowerconfig", "sitecustomize", "usercustomize"}
OTHERS = {*packages_distributions(), *PACKAGES, "darkroom", "pictures", *READ_BY_LIBRARIES}
OF_ANOTHER_PROGRAM = '[default]\nname = "of another program"\n[default.broker]\nurl = 5\n'


def fill(folder: Path, names: set[str]) -> Path:
    """Put a module of each of these names into a folder; each leaves its name in `imported/` when it is imported."""
    (folder / "imported").mkdir()
    for name in sorted(name for name in names - RUN_BY_NAME if name.isidentifier()):
        file = folder / name / "__init__.py" if name in PACKAGES else folder / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"open({str(folder / 'imported' / name)!r}, 'w').close()\n")
    (folder / "settings.toml").write_text(OF_ANOTHER_PROGRAM)
    return folder


def imported(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "imported").iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module of the name of every module that ours, a library or Python itself has."""
    return fill(tmp_path_factory.mktemp("foreign"), {*sys.stdlib_module_names, *OTHERS})


@pytest.fixture
def home(tmp_path: Path, folder: Path) -> Iterator[Home]:
    """A home, in an environment that names settings of Django; nothing of the folder is imported while it is used."""
    yield Home(tmp_path / "data", {"DJANGO_SETTINGS_MODULE": "settings"})
    assert imported(folder) == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for file in sorted((ROOT / "examples" / "pictures" / "left-of").glob("*.jpg"))[:3]:
        shutil.copy(file, folder)
    return folder


def run(home: Home, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=home.env(), capture_output=True, text=True, timeout=170
    )


def test_a_module_of_the_folder_would_be_found_out(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"settings", "redis"})
    subprocess.run([sys.executable, "-c", "import redis, settings"], cwd=folder, env=Home(tmp_path).env(), check=True)
    assert imported(folder) == ["redis", "settings"]


def test_an_empty_part_of_pythonpath_is_no_way_in(tmp_path: Path) -> None:
    # Not all names: Python itself starts with a few modules from there, before it comes to a command.
    folder = fill(tmp_path, {*PACKAGES, "pictures", "celery", "click", "kombu", "pydantic", "redis", "rich"})
    home = Home(tmp_path / "data", {"PYTHONPATH": os.pathsep.join(["", str(ROOT), ""])})
    assert run(home, folder, "producer", "status", "--json").returncode == 0
    assert imported(folder) == []


@pytest.mark.parametrize("command", ["producer", "darkroom"])
def test_the_state_of_things_is_told(home: Home, folder: Path, command: str) -> None:
    if command == "darkroom":
        # By its script: `python -m darkroom` would run the folder's own.
        words = [str(Path(sys.executable).parent / "darkroom"), "status", "--json"]
        done = subprocess.run(words, cwd=folder, env=home.env(), capture_output=True, text=True, timeout=170)
    else:
        done = run(home, folder, "producer", "status", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["jobs"] == []


def test_a_machine_is_checked(home: Home, folder: Path) -> None:
    done = run(home, folder, "workers", "check", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_a_folder_is_ingested(home: Home, folder: Path, pictures: Path) -> None:
    done = run(home, folder, "producer", "ingest", str(pictures), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stored"] == 3


def test_flower_is_served_other_programs_have_a_folder_ingested_and_it_is_searched(
    home: Home, folder: Path, pictures: Path
) -> None:
    # What the models import, `test_a_folder_is_ingested` has imported.
    home.settings.update({**NULL, "DARKROOM__FLOWER__BASIC_AUTH": LOGIN})
    port = free_port()
    stack = subprocess.Popen(
        [sys.executable, "-m", "workers", "up", "--port", str(port)],
        cwd=folder, env=home.env(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        site = Site(home, port, 0, [])
        wait_until(lambda: is_up(site))
        body = {"kwargs": {"directory": str(pictures)}}
        answer = json.loads(site.post("/api/task/apply/darkroom.ingest_directory", body))
        assert answer["result"]["stored"] == 3
        done = run(home, folder, "producer", "search", "a large red circle", "--json")
        assert len(json.loads(done.stdout)["results"]) == 3
    finally:
        stack.send_signal(signal.SIGTERM)
        _, said = stack.communicate(timeout=60)
    assert stack.returncode == 0, said
