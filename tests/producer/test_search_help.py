"""The help of search, similar and duplicates, compared with the text that it should be."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from producer.cli import cli
from settings.errors import WrongUse

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("command", ["search", "similar", "duplicates"])
def test_the_help_is_as_it_should_be(command: str) -> None:
    shown = CliRunner().invoke(cli, [command, "--help"], prog_name="python -m producer", terminal_width=100)
    assert shown.exit_code == 0
    assert shown.output == (SNAPSHOTS / f"{command}_help.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search"], "Say what to search for: words, --image FILE or --where CONDITION."),
        (["search", "x", "--queries", "-"], "--queries asks what its lines say: give no TEXT"),
        (["similar"], "Missing argument 'FILE'."),
        (["duplicates", "--near", "0"], "0.0 is not in the range 0<x<=1."),
        (["duplicates", "--near", "95"], "95.0 is not in the range 0<x<=1."),
    ],
)
def test_wrong_arguments_are_told_with_the_usage(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search", " "], "Say what to search for, in a few words."),
        (["search", "--", "- a dog"], "Say what to search for, not only what to leave out"),
        (["search", "a dog +"], "has a + or - with no term behind it"),
        (["search", "0:dog"], "The term 'dog' has the weight 0: leave it out."),
        (["search", "./nowhere.jpg + night"], "There is no file nowhere.jpg."),
        (["search", "a dog", "--min-score", "7"], "The least score is auto or a number from -1 to 1, like 0.25"),
        (["search", "--like", "/a.jpg", "--by", "words"], "A picture has no words: rank by meaning or by both"),
        (["search", "x", "--where", "camra=1"], "there is no field 'camra' (did you mean camera?)"),
        (["search", "x", "--html", "/nowhere/page.html"], "/nowhere/page.html cannot be written: there is no folder"),
        (["duplicates", "--html", "/"], "/ is a folder: name a file"),
        (["similar", "/nowhere.jpg"], "There is no file /nowhere.jpg."),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_started(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, WrongUse)
    assert sentence in str(done.exception)
