"""The docs and the code say the same: commands, options, settings, metrics, exit codes, messages, links."""

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from benchmarks.registry import BENCHMARKS
from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tests.commands_page import context_of, page, programs
from tests.conftest import ROOT
from tests.settings.test_readers import keys
from tests.test_house import modules

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), ROOT / "models" / "README.md"]
# What tells people of commands and settings beside the pages.
OTHERS = [ROOT / name for name in ("CHANGELOG.md", "settings.toml", "docker-compose.yml", "Makefile")]
# An option of Docker's that the docs name.
FOREIGN_OPTIONS = {"--profile"}
# Looks like a key of the settings, and is a file below data.dir, a module of Flower's, or a place for any key.
NO_KEYS = {"flower.db", "flower.app", "section.key"}


def each(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", files, ids=lambda file: str(file.relative_to(ROOT)))


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def code_in(file: Path) -> Iterator[str]:
    """Every piece of code in a page: between backticks, or a line that is indented or fenced."""
    text = text_of(file).replace("\\\n", " ")
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (line.strip() for block in fenced for line in block.splitlines())
    yield from (line.strip() for line in re.findall(r"^ {4}(.*)$", text, flags=re.MULTILINE))
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))


@cache
def texts_in_the_code() -> list[str]:
    """Every text in the code that a person may read: messages, help, docstrings; `{}` stands for what is filled in."""

    def whole(node: ast.JoinedStr) -> str:
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)

    nodes = [node for file in modules().values() for node in ast.walk(ast.parse(text_of(file)))]
    plain = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return plain + [whole(node) for node in nodes if isinstance(node, ast.JoinedStr)]


def calls(code: str) -> Iterator[tuple[str, list[str]]]:
    """The programs of ours that a piece of code calls, each with its arguments."""
    # "darkroom" inside of a sentence is the name of the project.
    for program, arguments in re.findall(r"(python -m (?:producer|workers)|^darkroom) (-{0,2}[a-z][^|;&`\n]*)", code):
        try:
            words = shlex.split(arguments, comments=True)
        except ValueError:  # a sentence with an apostrophe
            words = arguments.split()
        yield program, words


def require_known(program: str, arguments: list[str]) -> None:
    """Fail unless a program of ours has this command and its options."""
    group = programs()[program]
    context = context_of(program, group)
    try:
        _, rest, _ = group.make_parser(context).parse_args(list(arguments))
        if rest:
            command = group.get_command(context, rest[0])
            assert command is not None, f"there is no {program} {rest[0]}"
            command.make_parser(click.Context(command, parent=context)).parse_args(rest[1:])
    except click.NoSuchOption as error:
        pytest.fail(f"{program} {' '.join(arguments)}: {error.message}")


@cache
def known_options() -> set[str]:
    """Every option of our commands, and of the scripts for benchmarks, models and tests."""
    known = {"--help"}
    for program, group in programs().items():
        context = context_of(program, group)
        for command in (group, *(group.get_command(context, name) for name in group.list_commands(context))):
            assert command is not None
            for parameter in command.params:
                known |= {*parameter.opts, *parameter.secondary_opts}
    for script in ("benchmarks/__main__.py", "models/train.py", "models/evaluate.py", "tests/chaos/__main__.py"):
        known |= set(re.findall(r'\(\s*"(--[a-z-]+)"', text_of(ROOT / script)))
    return known


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert text_of(DOCS / "commands.md") == page(), "run `make commands-page`"


@each([*PAGES, *OTHERS])
def test_every_command_in_a_page_exists_with_the_options_that_it_is_shown_with(file: Path) -> None:
    for code in [*code_in(file), *re.findall(r"#.*", text_of(file))]:
        for program, arguments in calls(code):
            require_known(program, arguments)


def test_every_command_in_a_message_exists() -> None:
    found = [call for text in texts_in_the_code() for call in calls(text) if "{}" not in call[1]]
    assert len(found) > 20
    for program, arguments in found:
        require_known(program, arguments)


@each(PAGES)
def test_every_other_module_benchmark_and_make_target_in_a_page_exists(file: Path) -> None:
    for code in code_in(file):
        for module in re.findall(r"python -m ([\w.]+)", code):
            assert importlib.util.find_spec(module), code
        for names in re.findall(r"python -m benchmarks((?: [a-z]\w+)*)", code):
            assert set(names.split()) <= BENCHMARKS.keys(), code
        for target in re.findall(r"^make ([a-z-]+)", code):
            assert re.search(rf"^{target}:", text_of(ROOT / "Makefile"), flags=re.MULTILINE), code


@each(PAGES)
def test_every_option_in_a_page_exists(file: Path) -> None:
    named = {option for code in code_in(file) for option in re.findall(r"^--[a-z][a-z-]*", code)}
    assert named - known_options() - FOREIGN_OPTIONS == set()


def keys_in(text: str) -> set[str]:
    """What a text names as section.key or as an environment variable."""
    dotted = re.findall(rf"(?<![\w./@:-])(?:{'|'.join(Settings.model_fields)})\.[a-z_]+\b(?!\.\w|[/(])", text)
    variables = re.findall(r"\bDARKROOM__([A-Z]+)__([A-Z_]+)\b", text)
    named = {*dotted, *(f"{section}.{key}".lower() for section, key in variables)}
    return {name for name in named - NO_KEYS if not re.search(r"\.(py|md|png|html|toml|json)$", name)}


@each([*PAGES, *OTHERS])
def test_every_setting_in_a_page_exists(file: Path) -> None:
    # Not after `python -m`, where models.train is a module.
    named = keys_in(re.sub(r"python -m [\w.]+", "", text_of(file)))
    assert named - keys() == set()


def test_every_setting_in_a_message_exists() -> None:
    named = {key for text in texts_in_the_code() for key in keys_in(text)}
    assert len(named) > 20
    assert named - keys() == set()


@cache
def metrics() -> set[str]:
    """The names under which the workers serve what they count."""
    code = text_of(ROOT / "workers" / "metrics.py")
    seconds = {f"darkroom_{name}_seconds" for name in re.findall(r'= seconds\(\s*"(\w+)"', code)}
    counters = set(re.findall(r'Counter\(\s*"(darkroom_\w+)"', code))
    others = set(re.findall(r'"(darkroom_\w+)"', code)) - counters
    # The library adds this to the name of a counter.
    return {*seconds, *others, *(f"{name}_total" for name in counters)}


def test_every_metric_stands_in_the_docs_and_no_other() -> None:
    told = {file: set(re.findall(r"\bdarkroom_[a-z_]+", text_of(file))) for file in PAGES}
    assert told[DOCS / "operations.md"] == metrics()
    assert set().union(*told.values()) == metrics()


@each(sorted((ROOT / "deploy").iterdir()))
def test_the_dashboards_ask_for_metrics_that_exist(file: Path) -> None:
    asked = re.findall(r"\bdarkroom_[a-z_]+", text_of(file))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= metrics()


def test_the_exit_codes_are_told_in_one_place() -> None:
    table = text_of(DOCS / "operations.md").partition("## Exit codes")[2].partition("\n## ")[0]
    literal = re.findall(r"sys\.exit\((\d+)\)", text_of(ROOT / "settings" / "command_line.py"))
    ours = {0, *map(int, literal), *(error.exit_code for error in (DarkroomError, WrongUse, ServiceMissing))}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)} == ours
    assert {file for file in PAGES if re.search(r"\b130\b.*interrupted", text_of(file))} == {
        DOCS / "operations.md",
        DOCS / "commands.md",  # as part of the help of `ingest` and `retry`
    }
    assert {int(code) for file in PAGES for code in re.findall(r"\bexit (?:code )?(\d+)", text_of(file))} <= ours


def test_every_message_in_the_table_of_failures_is_one_of_ours() -> None:
    table = text_of(DOCS / "operations.md").partition("## What a failure looks like")[2].partition("\n## ")[0]
    left_column = "\n".join(re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE))
    shown = re.findall(r"`([^`]+)`", left_column)
    assert len(shown) > 15
    ours = "\n".join(texts_in_the_code())
    for message in shown:
        for part in re.split(r"…|\bN\b|\d+", re.sub(r"^(error|storage): ", "", message)):
            assert part.strip() in ours, message


@each(PAGES)
def test_every_link_leads_somewhere(file: Path) -> None:
    for target, heading in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)", text_of(file)):
        linked = file.parent / target if target else file
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.+)$", text_of(linked), flags=re.MULTILINE) if heading else []
        assert not heading or heading in {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in headings}


def test_every_page_that_the_code_names_is_there() -> None:
    texts = [*texts_in_the_code(), *map(text_of, [*OTHERS, *(ROOT / "deploy").iterdir()])]
    named = {page for text in texts for page in re.findall(r"\bdocs/\w+\.md", text)}
    assert named
    assert {page for page in named if not (ROOT / page).exists()} == set()


@pytest.mark.e2e
def test_the_example_in_python_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", text_of(DOCS / "python.md"), flags=re.DOTALL)
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
