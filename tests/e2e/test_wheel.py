"""What is built of the project, installed where nothing else of it is, and run from a folder that has none of it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project_files import is_left, project_files

pytestmark = pytest.mark.e2e

PACKAGES = ("darkroom", "settings", "pictures", "tasks", "producer", "web", "workers")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = shutil.copytree(ROOT, folder / "source", ignore=lambda _, names: {*filter(is_left, names)})
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """An environment with the wheel, and with the libraries of the Python that runs; it downloads nothing."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip())
    # Lines of a .pth file are folders; what .pth files in those say is not followed, so no checkout comes in by them.
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "libraries.pth").write_text("\n".join(libraries))
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--ignore-installed", "--no-warn-script-location", str(wheel)], check=True)
    return folder


def test_the_wheel_holds_the_packages_whole_and_nothing_beside_them(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    there = {str(file.relative_to(ROOT)) for package in PACKAGES for file in project_files(ROOT / package)}
    packed = {name for name in inside if ".dist-info/" not in name and ".data/" not in name}
    assert packed == there
    assert [name for name in inside if name.endswith(".data/data/share/darkroom/settings.toml")]


def test_the_sdist_holds_what_a_checkout_holds(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("no checkout of git")
    assert set(tracked.stdout.splitlines()) - {".gitignore"} <= inside


def test_what_is_installed_runs_from_any_folder_and_keeps_its_data_in_the_users(
    environment: Path, tmp_path: Path
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DARKROOM", "PYTHON"))}
    env |= {"XDG_DATA_HOME": str(tmp_path / "share"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    env["DARKROOM__STACK__LINGER_SECONDS"] = "0"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=elsewhere, env=env, capture_output=True, text=True, timeout=170)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(str(environment / "bin" / "python"), "-c", "import producer, settings; print(settings.settings_file())")
    assert where == "None\n"
    darkroom = str(environment / "bin" / "darkroom")
    assert "Usage: darkroom [OPTIONS] COMMAND" in run(darkroom, "--help")
    assert json.loads(run(darkroom, "status", "--json"))["jobs"] == []
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "share" / "darkroom" / "logs" / "redis.log").exists()
    shipped = environment / "share" / "darkroom" / "settings.toml"
    assert shipped.read_bytes() == (ROOT / "settings.toml").read_bytes()
    assert json.loads(run(darkroom, "--settings", str(shipped), "status", "--json"))["jobs"] == []
