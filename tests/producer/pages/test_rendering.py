"""Templates are files that are shipped, complete and safe to put into a page."""

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

import producer.pages
from producer.pages.rendering import _printable, render
from tests.conftest import ROOT

PAGES = Path(*producer.pages.__path__)
TEMPLATES = PAGES / "templates"
FILES = sorted(TEMPLATES.iterdir())


def test_every_template_that_is_named_is_there_and_every_one_there_is_named() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in PAGES.glob("*.py"))
    markup = "".join(file.read_text(encoding="utf-8") for file in TEMPLATES.glob("*.html"))
    named = re.findall(r'"(\w+\.html)"', code) + re.findall(r'{% include "([^"]+)" %}', markup)
    assert sorted(named) == [file.name for file in FILES]


def test_every_template_is_a_part_of_the_package() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    patterns = tool["setuptools"]["package-data"]["*"]
    for file in FILES:
        assert any(fnmatch(str(file.relative_to(PAGES)), pattern) for pattern in patterns), file


@pytest.mark.parametrize("file", [file for file in FILES if file.suffix != ".html"], ids=lambda file: file.name)
def test_style_and_script_come_into_the_page_as_they_are(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    # Jinja2 would read these, and a browser would end the element or turn it into a comment.
    assert not re.search(r"{{|{%|{#|</|<!--", text)
    assert render(file.name) == text


def test_a_value_that_the_code_forgot_is_an_error_and_no_gap_in_the_page() -> None:
    with pytest.raises(UndefinedError, match="'note' is undefined"):
        render("contact_sheet.html", title="Pictures", sections=[])


def test_text_is_made_fit_for_a_page_and_markup_is_left_alone() -> None:
    assert _printable("a\u202eb\x00\x07\nc \udcff größer 写真") == "a b   c ? größer 写真"
    assert _printable(12) == "12"
    markup = Markup("<b>\n</b>")
    assert _printable(markup) is markup


def test_a_command_that_makes_no_page_loads_no_jinja() -> None:
    code = (
        "import json, sys, producer.commands.results, producer.pages.html_file, producer.pages.map;"
        "print(json.dumps(sorted({'jinja2', 'markupsafe', 'numpy', 'PIL', 'sklearn'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
