"""What a person runs stays light: importing it loads no model, no database and no decoder."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = {"torch", "transformers", "qdrant_client", "qdrant_edge", "PIL", "numpy", "huggingface_hub"}


@pytest.mark.parametrize("module", ["producer", "producer.ingest.start", "producer.cli", "tasks.app", "settings"])
def test_importing_it_loads_no_model_and_no_database(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) & HEAVY == set()
