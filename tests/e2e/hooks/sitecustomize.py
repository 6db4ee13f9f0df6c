"""Holds up the null model at a gate: on PYTHONPATH, this is imported by every Python at its start.

While the file that GATE names is there, each process lets MOST pictures through and then none, until the file is gone
or says something else.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

MOST = 40
MODULE = "workers.inference.null"


class _Gate:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._said = ""
        self._through = 0

    def go_through(self, pictures: int) -> None:
        """Return when so many pictures may pass."""
        with self._lock:
            while self._is_shut():
                time.sleep(0.01)
            self._through += pictures

    def _is_shut(self) -> bool:
        try:
            said = self._file.read_text()
        except FileNotFoundError:
            return False
        if said != self._said:
            self._said, self._through = said, 0
        return self._through >= MOST


class _ModelLoader(Loader):
    def __init__(self, loader: Any, gate: _Gate) -> None:
        self._loader, self._gate = loader, gate

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        model, gate = module.NullClip, self._gate
        embed = model.embed_pictures

        def embed_behind_the_gate(own: Any, pictures: Sequence[Any]) -> Any:
            gate.go_through(len(pictures))
            return embed(own, pictures)

        model.embed_pictures = embed_behind_the_gate


class _ModelFinder(MetaPathFinder):
    """Changes the null model once it is imported."""

    def __init__(self, gate: _Gate) -> None:
        self._gate = gate

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == MODULE else None
        if spec is not None:
            spec.loader = _ModelLoader(spec.loader, self._gate)
        return spec


if os.environ.get("GATE"):
    sys.meta_path.insert(0, _ModelFinder(_Gate(Path(os.environ["GATE"]))))
