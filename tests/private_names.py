"""Names of libraries that Darkroom uses although they are private, and how to find out that a release changed them.

docs/architecture.md lists the same names with the reasons.
"""

import hashlib
import inspect
import io
import re
import textwrap
import tokenize
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

import pytest

from tests.conftest import ROOT

TABLE = 'the table "What is overridden in kombu, Celery and Flower" in docs/architecture.md'
_LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENDMARKER, tokenize.ENCODING),
}


@dataclass(frozen=True)
class PrivateName:
    """`name` in `module`, used by our `file`.

    `parameters` are the names of its parameters, if it is called or overridden; `fingerprint` is that of its source, if
    our code repeats, replaces or bypasses what it does inside.
    """

    module: str
    name: str
    file: str
    parameters: str | None = None
    fingerprint: str | None = None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def label(self) -> str:
        """How docs/architecture.md calls it."""
        if "." not in self.name:
            return str(self)
        return f"virtual.{self.name}" if self.module.endswith(".virtual") else self.name

    @property
    def library(self) -> str:
        """The library as a package is called on PyPI."""
        return self.module.partition(".")[0]

    def check(self) -> None:
        """Fail with a sentence if the installed release has another name, other parameters or another source."""
        try:
            value = reduce(getattr, self.name.split("."), import_module(self.module))
        except (ImportError, AttributeError):
            fail(self.library, str(self), self.file, "is gone")
        if self.parameters is not None and (found := parameters_of(value)) != self.parameters:
            fail(self.library, str(self), self.file, f"has the parameters ({found}) instead of ({self.parameters})")
        if self.fingerprint is not None and (found := fingerprint_of(value)) != self.fingerprint:
            fail(self.library, str(self), self.file, f"has another source, of fingerprint {found}")


def fail(library: str, name: str, file: str, change: str) -> NoReturn:
    """End a test with a sentence about a changed name."""
    pytest.fail(
        f"In {library} {version(library)} {name} {change}; {file} relies on it: read what {TABLE} says of it and its "
        f"new source, adapt {file}, then write the new state into that table and into the test.",
        pytrace=False,
    )


def parameters_of(function: Any) -> str:
    """The names of the parameters, with the stars of those that collect the rest."""
    stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return ", ".join(
        stars.get(parameter.kind, "") + parameter.name for parameter in inspect.signature(function).parameters.values()
    )


def fingerprint_of(function: Any) -> str:
    """A hash of the source without its layout, comments and docstring, so that only changes of the code change it."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    code: list[str] = []
    previous = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_docstring = token.type == tokenize.STRING and previous in (tokenize.NEWLINE, tokenize.INDENT)
        if token.type not in _LAYOUT and not is_docstring:
            code.append(token.string)
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            previous = token.type
    return hashlib.sha256("".join(code).encode()).hexdigest()[:12]


def documented_names() -> set[str]:
    """The names in the first column of the table in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("\n## What is overridden in kombu, Celery and Flower\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def require_documented(name: str) -> None:
    """Fail with a sentence if the table does not have this name."""
    if name not in documented_names():
        pytest.fail(f"{name} is used although it is private: add it to {TABLE}.", pytrace=False)
