"""The docs say what the code has, and nothing that it has not: commands, options, keys, metrics, exit codes, links."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from benchmarks.registry import BENCHMARKS, LARGE
from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tests.commands_page import PAGE, commands, groups, page
from tests.conftest import ROOT
from tests.settings.test_who_reads import keys
from tests.test_house import ROOMS, files_of

TEXTS = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        ROOT / "models" / "README.md",
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "settings.toml")),
        *(ROOT / name for name in ("examples/settings.toml", "docker-compose.yml", "Dockerfile", "Makefile")),
    ]
)
# Options of other programs that the docs tell of.
OF_OTHERS = {"--profile"}
# What looks like section.key and is the name of a file, or stands for any key.
NO_KEYS = {
    "flower.app",
    "flower.db",
    "section.key",
    "settings.toml",
    "stack.json",
    "stack.lock",
    "stack.log",
    "web.gallery",
}

each_page = pytest.mark.parametrize(
    "text", [text for text in TEXTS if text.suffix == ".md"], ids=lambda path: str(path.relative_to(ROOT))
)
each_text = pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def content(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def all_commands() -> dict[str, click.Command]:
    """What a person types, as `python -m producer ingest` -> the command."""
    return {
        f"{start} {name}": command for start, group in groups().items() for name, command in commands(group).items()
    }


def options_of(command: click.Command) -> set[str]:
    found = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return {name for name in found if name.startswith("-")} | {"-h", "--help"}


@cache
def known_options() -> set[str]:
    """Every long option of a command, and of the scripts of benchmarks, models and tests."""
    found = set().union(*(options_of(command) for command in [*groups().values(), *all_commands().values()]))
    for room in ("benchmarks", "models", "tests"):
        for file in files_of(room):
            found |= set(re.findall(r'(?:add_argument|click\.option)\(\s*"(--[a-z0-9-]+)"', content(file)))
    return found


@cache
def strings_of_the_code() -> list[tuple[Path, str]]:
    """Every text in the code of the rooms: messages, help and docstrings."""
    return [
        (file, node.value)
        for room in ROOMS
        for file in files_of(room)
        for node in ast.walk(ast.parse(content(file)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def calls(text: str) -> Iterator[tuple[str, str, str]]:
    """What is called, the command, and the rest of its line, wherever a text tells of a command."""
    started = re.findall(
        r"-m (producer|workers)(?: --settings \S+)?\s+([a-z][a-z-]*)\b([^`\n#|]*)",
        text,
    )
    for package, name, rest in started:
        yield f"python -m {package}", name, rest
    # In other places the word is the project's name.
    for span in re.findall(r"`(darkroom [^`\n]+)`", text):
        if called := re.match(r"darkroom ([a-z][a-z-]*)([^#|]*)", span):
            yield "darkroom", called[1], called[2]


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert content(PAGE) == page(), "run make commands-page"


@each_text
def test_every_command_in_a_text_exists_and_has_the_options_that_it_is_shown_with(text: Path) -> None:
    for start, name, rest in calls(content(text)):
        command = all_commands().get(f"{start} {name}")
        assert command is not None, f"there is no {start} {name}"
        unknown = set(re.findall(r"(?<!\S)--?[a-z][a-z0-9-]*", rest)) - options_of(command) - {"-"}
        assert unknown == set(), f"{start} {name} has no {unknown}"


def test_every_command_in_a_message_of_the_code_exists() -> None:
    named = [call for _file, text in strings_of_the_code() for call in calls(text)]
    assert len(named) > 20
    assert {f"{start} {name}" for start, name, _rest in named} - set(all_commands()) == set()


@each_text
def test_every_option_in_a_text_exists(text: Path) -> None:
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", content(text)))
    assert named - known_options() - OF_OTHERS == set()


def keys_in(text: str) -> set[str]:
    sections = "|".join(Settings.model_fields)
    dotted = re.findall(rf"(?<![\w./-])((?:{sections})\.[a-z_]+)\b(?!\.\w|[/(])", text)
    variables = re.findall(r"\bDARKROOM__([A-Z]+)__([A-Z_]+)", text)
    return {*dotted, *(f"{section}.{key}".lower() for section, key in variables)} - NO_KEYS


@each_text
def test_every_key_in_a_text_exists(text: Path) -> None:
    told = [content(text)]
    if text.suffix == ".md":
        spans = re.findall(r"`([^`\n]+)`|^    (.+)$", content(text), flags=re.MULTILINE)
        told = [span or line for span, line in spans if " -m " not in span + line]
    assert set().union(*map(keys_in, told)) - keys() == set()


def test_every_key_in_a_message_of_the_code_exists() -> None:
    named = {key for _file, text in strings_of_the_code() for key in keys_in(text)}
    assert len(named) > 20
    assert named - keys() == set()


def metrics() -> set[str]:
    """Every metric for Prometheus that a worker serves, by the name that it has there."""
    text = content(ROOT / "workers" / "metrics.py") + content(ROOT / "web" / "api" / "health.py")
    counters = {f"{name}_total" for name in re.findall(r'Counter(?:MetricFamily)?\(\s*"(darkroom_\w+)"', text)}
    seconds = {f"darkroom_{name}_seconds" for name in re.findall(r'= seconds\(\s*"(\w+)"', text)}
    others = set(re.findall(r'(?:Histogram|GaugeMetricFamily)\("(darkroom_\w+)"', text))
    return counters | seconds | others


def test_every_metric_stands_in_the_table_of_metrics_and_no_other_does() -> None:
    rows = re.findall(r"^\| (`darkroom_.*?) \|", content(ROOT / "docs" / "operations.md"), flags=re.MULTILINE)
    assert set(re.findall(r"darkroom_[a-z_]+", " ".join(rows))) == metrics()


@pytest.mark.parametrize("text", [*TEXTS, *sorted((ROOT / "deploy").iterdir())], ids=lambda path: path.name)
def test_every_metric_that_a_text_or_a_dashboard_names_exists(text: Path) -> None:
    named = set(re.findall(r"(?<!\w)darkroom_[a-z_]+\b", content(text)))
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} - metrics() == set()


def told_exit_codes() -> set[int]:
    section = content(ROOT / "docs" / "operations.md").partition("## Exit codes")[2].partition("\n## ")[0]
    return {int(code) for code in re.findall(r"^\| (\d+) \| [^|]+ \|", section, flags=re.MULTILINE)}


def test_the_exit_codes_are_told_in_one_place() -> None:
    known = {error.exit_code for error in (DarkroomError, WrongUse, ServiceMissing)}
    ended = {
        code for room in ROOMS for file in files_of(room) for code in re.findall(r"sys\.exit\((\d+)\)", content(file))
    }
    assert told_exit_codes() == {0, *known, *map(int, ended)}


def test_every_exit_code_that_a_text_or_the_help_names_is_one_of_these() -> None:
    texts = " ".join([*map(content, TEXTS), *(command.help or "" for command in all_commands().values())])
    lists = re.findall(r"Exit code: (.*)", texts)
    named = [*re.findall(r"exit (?:code )?(\d+)", texts), *re.findall(r"\b\d+\b", " ".join(lists))]
    assert len(named) > 20
    assert set(map(int, named)) <= told_exit_codes()


@each_page
def test_every_link_within_the_project_leads_to_something(text: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", content(text).replace("\n", " ")):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        linked = (text.parent / file).resolve() if file else text
        assert linked.exists(), target
        if heading:
            assert heading in anchors(linked), target


@each_page
def test_every_module_in_the_docs_exists(text: Path) -> None:
    modules = {
        str(file.relative_to(ROOT)) for room in (*ROOMS, "benchmarks", "models", "tests") for file in files_of(room)
    }
    named = set(re.findall(r"`([a-z_/]+\.py)`", content(text)))
    assert {name for name in named if not any(f"/{module}".endswith(f"/{name}") for module in modules)} == set()
    for name, file in re.findall(r"`(\w+)` in\s+`([a-z_/]+\.py)`", content(text)):
        found = [content(ROOT / module) for module in modules if f"/{module}".endswith(f"/{file}")]
        assert any(re.search(rf"\b{name}\b", code) for code in found), f"{file} has no {name}"


@each_page
def test_every_script_benchmark_and_make_target_in_the_docs_exists(text: Path) -> None:
    for module, words in re.findall(r"python -m ([\w.]+)((?: [a-z]\w+)*)", content(text)):
        assert importlib.util.find_spec(module), f"there is no module {module}"
        assert module != "benchmarks" or set(words.split()) <= set(BENCHMARKS) | set(LARGE), words
    for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", content(text), flags=re.MULTILINE):
        assert f"\n{target}:" in content(ROOT / "Makefile"), f"there is no make {target}"


def test_every_page_that_the_code_names_exists() -> None:
    texts = [*(text for _file, text in strings_of_the_code()), *map(content, TEXTS)]
    named = {page for text in texts for page in re.findall(r"\bdocs/\w+\.md\b", text)}
    assert {page for page in named if not (ROOT / page).exists()} == set()


def test_every_message_in_the_table_of_failures_is_one_of_the_code() -> None:
    table = content(ROOT / "docs" / "operations.md").partition("## What a failure looks like")[2].partition("\n## ")[0]
    first_column = "\n".join(re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE))
    told = [told for told in re.findall(r"`([^`]+)`", first_column) if " " in told]
    assert len(told) > 15
    ours = "\n".join(text for _file, text in strings_of_the_code())
    for message in told:
        for part in re.split(r"…|\bN\b|\d+", re.sub(r"^(error|storage): ", "", message)):
            assert part.strip() in ours, message


def anchors(page: Path) -> set[str]:
    """The addresses of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", content(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
