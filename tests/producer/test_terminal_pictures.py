"""Pictures in terminals of every kind, and no stray escape sequence in any other place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.producer.terminal import KITTY, PLAIN, SIXEL, Terminal

PROGRAM = """
import sys
from rich.console import Console
from producer.commands.results import print_results
from producer.commands.results import drawer
console = Console()
rows = [{"uri": "{uri}", "score": 0.5, "caption": "a red square"}, {"uri": "file:///gone.jpg", "score": 0.4}]
print_results(rows, console, drawer(console, WANTED))
"""
IN_SIXEL, BY_KITTY, HALF_BLOCK = "\x1bP", "\x1b_G", "\N{UPPER HALF BLOCK}"


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Prints one result with a picture and one without, as the option --pictures says."""
    Image.new("RGB", (60, 40), "red").save(tmp_path / "a.png")
    return PROGRAM.replace("{uri}", (tmp_path / "a.png").as_uri())


def wanting(program: str, wanted: bool | None) -> str:
    """The program as --pictures (True), --no-pictures (False) or neither would run it."""
    return program.replace("WANTED", repr(wanted))


def test_a_terminal_with_sixel_gets_sixel(program: str) -> None:
    written = Terminal(SIXEL).run("-c", wanting(program, None))
    assert written.count(IN_SIXEL) == 1
    assert "0.500  a red square" in written
    assert "0.400  /gone.jpg" in re.sub("\x1b]8;[^\x1b]*\x1b\\\\", "", written)


def test_a_terminal_with_the_protocol_of_kitty_gets_that(program: str) -> None:
    written = Terminal(KITTY).run("-c", wanting(program, None))
    assert "m=0,f=100" in written
    assert IN_SIXEL not in written
    assert "0.500  a red square" in written


def test_a_plain_terminal_gets_a_table_and_half_blocks_where_they_are_asked_for(program: str) -> None:
    written = Terminal(PLAIN).run("-c", wanting(program, None))
    assert IN_SIXEL not in written
    assert HALF_BLOCK not in written
    assert "0.500  a red square" in written
    assert HALF_BLOCK in Terminal(PLAIN).run("-c", wanting(program, True))


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_the_terminal_is_not_even_asked(program: str, env: dict[str, str]) -> None:
    written = Terminal(SIXEL).run("-c", wanting(program, True), **env)
    assert IN_SIXEL not in written
    assert BY_KITTY not in written
    assert "\x1b[c" not in written
    assert "a red square" in written


def test_no_pictures_means_none(program: str) -> None:
    assert IN_SIXEL not in Terminal(SIXEL).run("-c", wanting(program, False))


def test_a_pipe_gets_text_without_escapes(program: str) -> None:
    command = [sys.executable, "-c", wanting(program, True)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout
    assert "a red square" in done.stdout
