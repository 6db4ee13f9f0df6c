"""Who reads a key, as settings.toml says: each process that is named can come to read it, and none is left out."""

import ast
import re
from functools import cache

import pytest

from settings import Settings
from settings.loading import ROOT
from tests.test_house import imports, module_behind, modules

# Process -> the modules that it starts with.
STARTS = {
    # Each of its commands is imported by its name when it is asked for.
    "producer": {"producer.cli", *(name for name in modules() if name.startswith("producer.commands."))},
    "supervisor": {"workers.supervisor.commands", "workers.supervisor.stack", "workers.supervisor.fleet"},
    "GPU worker": {"workers.gpu.worker"},
    "storage worker": {"workers.storage.worker"},
    "ingest worker": {"workers.http_tasks.directory"},
    "Flower": {"workers.supervisor.flower", "workers.flower_app"},
    "web": {"web.cli"},
}
# The commands of the machines hand these on to the processes that they start.
BY_COMMAND_LINE = ("workers.cli", {"supervisor", "Flower"})
# What is read here is read by this process and cannot be left out. Other rooms are shared.
OWN = {
    "producer": "producer",
    "workers.gpu": "GPU worker",
    "workers.inference": "GPU worker",
    "workers.storage": "storage worker",
    "workers.http_tasks.directory": "ingest worker",
    "workers.supervisor.commands": "supervisor",
    "workers.supervisor.flower": "Flower",
    "web": "web",
}


@cache
def keys() -> set[str]:
    """Every key of the settings, as section.key."""
    sections = {name: type(getattr(Settings.model_construct(), name)) for name in Settings.model_fields}
    return {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}


@cache
def told() -> dict[str, list[str]]:
    """Key -> the processes that the line above it names."""
    found, section = {}, ""
    for line, following in re.findall(r"^(.+)\n(?=(.*)$)", (ROOT / "settings.toml").read_text(), flags=re.MULTILINE):
        section = line[1:-1] if re.fullmatch(r"\[\w+\]", line) else section
        if line.startswith("# Read by: "):
            key = re.match(r"\w+(?= = )", following)
            assert key, f"no key below: {line}"
            found[f"{section}.{key[0]}"] = line.removeprefix("# Read by: ").removesuffix(".").split(", ")
    return {key: list(STARTS) if named == ["all"] else named for key, named in found.items()}


@cache
def keys_read_in(module: str) -> set[str]:
    """The keys that a module reads, as `settings.gpu.loaders`, or as `own.url` after `own = settings.broker`."""
    nodes = list(ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))))
    short = {
        target.id: node.value.attr
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute | ast.Name):
            section = node.value.attr if isinstance(node.value, ast.Attribute) else short.get(node.value.id)
            found.add(f"{section}.{node.attr.removeprefix('safe_')}")
    return found & keys()


def within_reach(process: str) -> set[str]:
    """The keys that are read in the modules which a process imports, directly or by others."""
    reached: set[str] = set()
    waiting = set(STARTS[process])
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= {found for name in imports(modules()[module]) if (found := module_behind(name))} - reached
    module, processes = BY_COMMAND_LINE
    return set().union(*map(keys_read_in, reached), keys_read_in(module) if process in processes else ())


def test_every_key_says_who_reads_it_by_the_names_of_processes() -> None:
    assert told().keys() == keys()
    for key, processes in told().items():
        assert processes == [name for name in STARTS if name in processes], f"{key}: one name, or the order, is wrong"


@pytest.mark.parametrize("process", STARTS)
def test_a_process_that_is_named_can_read_the_key(process: str) -> None:
    named = {key for key, processes in told().items() if process in processes}
    assert named
    assert named - within_reach(process) == set()


@pytest.mark.parametrize("room", OWN)
def test_a_process_whose_own_code_reads_a_key_is_named(room: str) -> None:
    own = {module for module in modules() if module == room or module.startswith(f"{room}.")}
    read = set().union(*map(keys_read_in, own))
    assert read
    assert {key for key in read if OWN[room] not in told()[key]} == set()
