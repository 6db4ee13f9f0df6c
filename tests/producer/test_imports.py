"""Who may know whom: the producer stays light, and both sides meet in tasks only."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAVY = {"torch", "transformers", "qdrant_client", "qdrant_edge", "PIL", "numpy", "huggingface_hub"}
FORBIDDEN = {"producer": {"workers"}, "workers": {"producer"}, "tasks": {"producer", "workers"}}


def imported(file: Path) -> set[str]:
    """The top-level names of all that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute here"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("module", ["producer", "producer.ingest", "producer.cli", "tasks.app", "settings"])
def test_importing_it_loads_no_model_and_no_database(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) & HEAVY == set()


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_imports_run_only_from_both_sides_to_tasks(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(file.relative_to(ROOT)): imported(file) & FORBIDDEN[package] for file in files}
    assert {file: found for file, found in wrong.items() if found} == {}


def test_settings_know_only_the_errors_of_tasks() -> None:
    for name in ("settings.py", "settings_sections.py"):
        assert not imported(ROOT / name) & {"producer", "workers"}
