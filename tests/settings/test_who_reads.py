"""settings.toml says for every key which processes read it."""

import re
from functools import cache

from settings import Settings
from tests.conftest import ROOT

PROCESSES = {"producer", "GPU worker", "storage worker", "ingest worker", "supervisor", "Flower"}
# Who runs the code of a room: whoever reads a key there must be named beside the key.
RUNS = {
    "producer": "producer",
    "workers/gpu": "GPU worker",
    "workers/inference": "GPU worker",
    "workers/storage": "storage worker",
}


@cache
def keys() -> set[str]:
    """Every key as section.key."""
    sections = {name: type(getattr(Settings.model_construct(), name)) for name in Settings.model_fields}
    return {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}


def test_settings_toml_says_for_every_key_which_processes_read_it() -> None:
    readers = read_by()
    assert set(readers) == keys()
    for key, names in readers.items():
        assert len(set(names)) == len(names), f"{key} names a process twice"
        assert names == ["all"] or set(names) <= PROCESSES, f"{key} is read by {names}"


def test_whoever_reads_a_key_in_the_code_is_named_in_settings_toml() -> None:
    readers, found = read_by(), 0
    for folder, process in RUNS.items():
        for file in (ROOT / folder).rglob("*.py"):
            for key in re.findall(r"\bsettings\.((?:\w+)\.(?:\w+))\b", file.read_text(encoding="utf-8")):
                if key in readers:
                    found += 1
                    assert readers[key] == ["all"] or process in readers[key], f"{file} reads {key}"
    assert found > 20


def read_by() -> dict[str, list[str]]:
    """section.key -> the processes in the last line of the comment above it, which may explain several keys."""
    found: dict[str, list[str]] = {}
    section, names = "", list[str]()
    for line in (ROOT / "settings.toml").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section, names = heading[1], []
        elif told := re.fullmatch(r"# Read by: (.+)\.", line):
            names = told[1].split(", ")
        elif line.startswith("#"):
            names = []
        elif key := re.match(r"(\w+) = ", line):
            assert names, f"{section}.{key[1]}: no line says which processes read it"
            found[f"{section}.{key[1]}"] = names
    return found
