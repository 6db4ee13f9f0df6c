"""The docs and the code say the same: commands, options, settings, figures, exit codes, and the example in Python."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from settings.loading import Settings
from tests.commands_page import groups, page
from tests.conftest import ROOT

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "models/README.md"]
TEXTS = {file.relative_to(ROOT): file.read_text(encoding="utf-8") for file in DOCS}
CODE = [
    file for room in ("producer", "tasks", "workers", "pictures", "settings") for file in (ROOT / room).rglob("*.py")
]
PROCESSES = {"all", "producer", "supervisor", "GPU worker", "storage worker", "ingest worker"}
# Programs of others that the docs call by their options.
OTHERS = {
    *("--extra", "--in", "--rounds", "--seed", "--writers", "--scenes", "--steps", "--quick", "--images", "--table"),
    *("--profile", "--max_tasks", "--name", "--check", "--shm-size", "--gpus", "--build", "--rm", "--from", "--out"),
}


def keys() -> set[str]:
    return {
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in field.annotation.model_fields  # type: ignore[union-attr]  # each is a class with fields
    }


def commands() -> dict[str, click.Command]:
    """Every way to write a command -> the command."""
    found: dict[str, click.Command] = {}
    for program, group in groups().items():
        for name, command in group.commands.items():
            found[f"{program} {name}"] = command
            below = "ingest-worker" if program.endswith("workers") and name == "ingest" else name
            found[f"darkroom {below}"] = command
    return found


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert TEXTS[Path("docs/commands.md")] == page(), "run `make commands-page`"


@pytest.mark.parametrize("file", TEXTS, ids=str)
def test_every_command_that_the_docs_name_exists(file: Path) -> None:
    named = re.findall(r"(python -m (?:producer|workers)|(?<![\w./-])darkroom) ([a-z][a-z-]+)\b(?![./:])", TEXTS[file])
    unknown = {f"{program} {name}" for program, name in named} - commands().keys()
    # "darkroom" is also the name of the program itself, in sentences.
    assert {name for name in unknown if not name.startswith("darkroom ")} == set()


@pytest.mark.parametrize("file", [file for file in TEXTS if file.parts[0] != "models"], ids=str)
def test_every_option_that_the_docs_name_exists(file: Path) -> None:
    known = {"--help", "--version", "--settings", *OTHERS}
    for command in commands().values():
        for parameter in command.params:
            known |= {*parameter.opts, *parameter.secondary_opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXTS[file])) - known == set()


def test_every_setting_stands_in_the_file_and_says_who_reads_it() -> None:
    text = (ROOT / "settings.toml").read_text(encoding="utf-8")
    assert {f"{section}.{key}" for section, table in tomllib.loads(text).items() for key in table} == keys()
    assert len(re.findall(r"^# Read by: ([^\n]+)\.\n[a-z_]+ = ", text, flags=re.MULTILINE)) == len(keys())
    readers = {
        reader
        for line in re.findall(r"^# Read by: ([^\n]+)\.$", text, flags=re.MULTILINE)
        for reader in line.split(", ")
    }
    assert readers == PROCESSES


@pytest.mark.parametrize(
    ("room", "reader"),
    [("producer", "producer"), ("workers/storage", "storage worker"), ("workers/inference", "GPU worker")],
)
def test_who_reads_a_setting_is_true(room: str, reader: str) -> None:
    text = (ROOT / "settings.toml").read_text(encoding="utf-8")
    read_by: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        section = line.strip("[]") if line.startswith("[") else section
        if line.startswith("# Read by: "):
            readers = line.removeprefix("# Read by: ").rstrip(".")
        elif match := re.match(r"(\w+) = ", line):
            read_by[f"{section}.{match[1]}"] = readers
    for file in (ROOT / room).rglob("*.py"):
        for section, key in re.findall(r"settings\.(\w+)\.(\w+)", file.read_text(encoding="utf-8")):
            if f"{section}.{key}" in read_by:
                assert {reader, "all"} & set(read_by[f"{section}.{key}"].split(", ")), f"{file}: {section}.{key}"


@pytest.mark.parametrize("file", [*TEXTS, *(file.relative_to(ROOT) for file in CODE)], ids=str)
def test_every_setting_that_is_named_exists(file: Path) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    sections = "|".join(Settings.model_fields)
    named = set(re.findall(rf"(?<![\w./\"-])((?:{sections})\.[a-z][a-z_]+)\b(?![(/])", text))
    if file.suffix == ".py":
        # In code the same letters are attributes; what a person reads stands in a text.
        named = {
            name
            for literal in re.findall(r'f?"[^"\n]*"', text)
            for name in re.findall(rf"(?<![\w./{{\"-])((?:{sections})\.[a-z][a-z_]+)\b(?![(/])", literal)
        }
    files = {
        "data.dir",
        "flower.app",
        "models.evaluate",
        "models.train",
        "models.scenes",
        "metrics.py",
        "flower.png",
        "ingest.py",
        "paths.py",
    }
    assert {name for name in named if not name.endswith((".py", ".md", ".db"))} - keys() - files == set()


def test_every_environment_variable_of_a_setting_that_is_named_exists() -> None:
    known = {f"DARKROOM__{key.replace('.', '__').upper()}" for key in keys()} | {"DARKROOM__SECTION__KEY"}
    for file, text in TEXTS.items():
        assert set(re.findall(r"DARKROOM__[A-Z_]+[A-Z]", text)) - known == set(), file


def test_every_figure_for_prometheus_stands_in_the_docs_and_no_other() -> None:
    code = (ROOT / "workers" / "metrics.py").read_text(encoding="utf-8")
    ours = set(re.findall(r'"(darkroom_\w+)"', code)) | {
        f"darkroom_{name}_seconds" for name in re.findall(r'seconds\(\s*"(\w+)"', code)
    }
    counters = set(re.findall(r'Counter\(\s*"(darkroom_\w+)"', code))
    # Prometheus' client adds to the name of a counter.
    ours = {f"{name}_total" if name in counters else name for name in ours}
    told = set(re.findall(r"`(darkroom_[a-z_]+)", TEXTS[Path("docs/operations.md")]))
    assert ours == told
    for file in [*(ROOT / "deploy").iterdir(), *DOCS]:
        named = set(
            re.findall(
                r"\bdarkroom_(?:files|batch|load|queue|messages|retries)[a-z_]*", file.read_text(encoding="utf-8")
            )
        )
        assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} <= ours, file


def test_the_exit_codes_are_told_in_one_place() -> None:
    table = TEXTS[Path("docs/operations.md")].partition("## Exit codes")[2].partition("\n## ")[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    assert told == {0, 130, *(error.exit_code for error in (DarkroomError, WrongUse, ServiceMissing))}


def test_every_link_between_the_docs_leads_somewhere() -> None:
    for file, text in TEXTS.items():
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
            other = (ROOT / file).parent / target if target else ROOT / file
            assert other.exists(), f"{file}: {target}"
            if anchor:
                titles = re.findall(r"^#+ (.+)$", other.read_text(encoding="utf-8"), flags=re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, anchor


@pytest.mark.e2e
def test_the_example_in_python_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXTS[Path("docs/python.md")], flags=re.DOTALL)
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
    env |= {"DARKROOM_SETTINGS": str(ROOT / "examples/settings.toml"), "DARKROOM__DATA__DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, tmp_path / "example.py"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    sentence = "large red circle above a small blue square"
    assert done.stdout.splitlines() == [
        "36 stored, 1 failed",
        "corrupt.jpg failed: the picture is cut off: its data end too early",
        f"{sentence.replace(' a ', ' ').replace(' ', '-')}-on-white.jpg - a {sentence} on a white background",
        "256 x 256",
        "256 x 256",
        "12 vectors of 128 float32",
        "0 copies; ['job', 'root', 'state']",
    ]
