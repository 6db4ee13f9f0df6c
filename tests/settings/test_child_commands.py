"""Commands that start one another: the same packages, and nothing of the working directory."""

import os
import subprocess
from pathlib import Path

import pytest

import settings.loading
from settings.child_commands import child_command, child_environment
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("", [str(ROOT)]),
        (str(ROOT), [str(ROOT)]),
        (f"{os.pathsep}/somewhere{os.pathsep}", [str(ROOT), "/somewhere"]),
    ],
)
def test_a_child_finds_the_packages_of_its_parent_and_no_module_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, given: list[str]
) -> None:
    for name in ("settings", "workers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the module of somebody else')")
    monkeypatch.setenv("PYTHONPATH", path)
    assert child_environment()["PYTHONPATH"].split(os.pathsep) == given
    done = subprocess.run(
        child_command("workers", "--help"), cwd=tmp_path, env=child_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_packages_that_are_installed_are_found_without_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.loading, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}/somewhere")
    assert child_environment()["PYTHONPATH"] == "/somewhere"
