"""docs/python.md has every name of the Python client, its arguments and the fields of its results; its example runs."""

import inspect
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import producer
from tasks.ledger import Counts
from tests.conftest import ROOT


@cache
def text() -> str:
    return (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def methods() -> list[tuple[str, str, str]]:
    """Name, arguments and result of each row of the table of methods."""
    return re.findall(r"^\| `(\w+)\((.*?)\)` \|[^|]*\| (.*) \|$", text(), flags=re.MULTILINE)


def test_the_page_has_every_method_and_every_name() -> None:
    assert sorted(name for name, *_ in methods()) == sorted(
        name for name in dir(producer.Darkroom) if not name.startswith("_")
    )
    assert {name for name in producer.__all__ if f"`{name}" not in text() and f".{name}`" not in text()} == set()


def test_every_method_is_shown_with_its_arguments_and_their_defaults() -> None:
    for name, told, _result in methods():
        parameters = dict(inspect.signature(getattr(producer.Darkroom, name)).parameters)
        del parameters["self"]
        arguments = [argument.lstrip("*").partition("=") for argument in told.split(", ") if argument]
        assert [argument for argument, *_ in arguments] == list(parameters), name
        for argument, _sign, default in arguments:
            assert default in ("", repr(parameters[argument].default)), f"{name}: {argument}"


def attributes(kind: type) -> set[str]:
    return {name for name in [*inspect.get_annotations(kind), *vars(kind)] if not name.startswith("_")}


def test_every_field_of_a_result_exists() -> None:
    (picture,) = re.findall(r"^A `Picture` has (.*?) \(", text(), flags=re.MULTILINE)
    checked = set()
    for result in [*(result for *_, result in methods()), f"`Picture`: {picture}"]:
        before, _, listed = result.partition(": ")
        # What stands in brackets are the counts of an outcome.
        own, counts = re.sub(r"\([^)]*\)", "", listed), " ".join(re.findall(r"\([^)]*\)", listed))
        for name in set(re.findall(r"`([A-Z]\w+)`", before)) - {"None", "Records"}:
            checked.add(name)
            assert set(re.findall(r"`(\w+)`", own)) - attributes(getattr(producer, name)) == set(), result
        assert set(re.findall(r"`(\w+)`", counts)) - attributes(Counts) == set(), result
    assert checked == set(producer.__all__) - {
        "Darkroom", "DarkroomError", "NotFound", "Records", "ServiceMissing", "WrongUse"
    }  # fmt: skip


@pytest.mark.e2e
def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    program, output = (
        re.findall(rf"^```{kind}\n(.*?)^```", text(), flags=re.MULTILINE | re.DOTALL) for kind in ("python", "text")
    )
    own = {"DARKROOM_SETTINGS": str(ROOT / "examples" / "settings.toml"), "DARKROOM__DATA__DIR": str(tmp_path / "data")}
    own["DARKROOM__STACK__LINGER_SECONDS"] = "0"
    others = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM")}
    done = subprocess.run(
        [sys.executable, "-c", *program], cwd=ROOT, env={**others, **own}, capture_output=True, text=True, check=False
    )
    assert [done.stdout] == output, done.stderr
