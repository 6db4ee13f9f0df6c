"""The rooms of the house: who may use whom, how large a room and a file may be, and that the map shows them all."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project_files import project_files

# Arrows run one way: a room may import itself and these.
MAY_IMPORT = {
    "settings": set[str](),
    "pictures": {"settings"},
    "tasks": {"settings"},
    "producer": {"tasks", "pictures", "settings"},
    "workers": {"tasks", "pictures", "settings"},
    "web": {"producer", "pictures", "settings"},
    "darkroom": {"producer", "web", "workers", "tasks", "settings"},
}
ROOMS = tuple(MAY_IMPORT)
# What reads pictures runs wherever pictures lie, with no queue and no model.
NOT_IN_PICTURES = {"torch", "transformers", "celery", "kombu", "redis"}
MOST_LINES = 250
MOST_FILES = 15


def files_of(room: str) -> list[Path]:
    found = [file for file in project_files(ROOT / room) if file.suffix == ".py"]
    assert found
    return found


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_of(file): file for room in ROOMS for file in files_of(room)}


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(file: Path) -> Iterator[str]:
    """The full names of all that a file imports when it runs, also inside functions: modules, or names in them."""

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            if not is_for_types_only(child):
                yield from walk(child)

    yield from walk(ast.parse(file.read_text(encoding="utf-8")))


def module_behind(name: str) -> str | None:
    """The module of the project that an imported name is, or is in."""
    return next((each for each in (name, name.rpartition(".")[0]) if each in modules()), None)


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_run_one_way(room: str) -> None:
    allowed = {room, *MAY_IMPORT[room]}
    upward = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files_of(room)
        for name in imports(file)
        if name.split(".")[0] in ROOMS and name.split(".")[0] not in allowed
    }
    assert upward == set()


def test_pictures_need_no_queue_and_no_model() -> None:
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files_of("pictures")
        for name in imports(file)
        if name.split(".")[0] in NOT_IN_PICTURES
    }
    assert wrong == set()


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {
        module: {found for name in imports(file) if (found := module_behind(name)) not in (None, module)}
        for module, file in modules().items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these files import each other: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("room", [*ROOMS, "benchmarks", "models", "examples"])
def test_a_room_can_be_looked_over(room: str) -> None:
    counts = Counter(str(file.parent.relative_to(ROOT)) for file in files_of(room))
    assert {folder: files for folder, files in counts.items() if files > MOST_FILES} == {}


@pytest.mark.parametrize("room", [*ROOMS, "benchmarks"])
def test_a_file_is_one_concept_and_no_novel(room: str) -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files_of(room)}
    assert {str(file.relative_to(ROOT)): lines for file, lines in lengths.items() if lines > MOST_LINES} == {}


def test_the_map_of_the_rooms_is_the_tree() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## The rooms")[2].partition("\n## ")[0]
    shown = {
        folder: set(names.split())
        for folder, names in re.findall(r"^\| `([\w/]+)/` \| [^|]+ \| ([\w ]*) \|$", section, flags=re.MULTILINE)
    }
    there: dict[str, set[str]] = {}
    for file in modules().values():
        names = there.setdefault(str(file.parent.relative_to(ROOT)), set())
        if not file.stem.startswith("__"):
            names.add(file.stem)
    assert shown == there
