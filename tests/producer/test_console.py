"""The terminal that commands print to."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from producer.console import PlainConsole

SLY = "a\x1b]0;title\x07b\x9b2J\u202ec"


@pytest.mark.parametrize("in_table", [False, True])
def test_no_text_of_a_file_steers_it_and_its_own_colours_stay(in_table: bool) -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, color_system="standard", width=60)
    shown: Text | Table = Text(SLY, style="red")
    if in_table:
        shown = Table("file", box=None)
        shown.add_row(Text(SLY))
        shown.add_row(Text("next", style="red"))
    console.print(shown)
    sent = file.getvalue()
    assert not [letter for letter in ("\x1b]", "\x07", "\x9b", "\u202e") if letter in sent]
    assert sent.count("\x1b[31m") == 1
    # Of the characters that are shown in place of others, rich leaves some out of its own accord.
    assert "a]0;title" in sent.replace("\N{REPLACEMENT CHARACTER}", "")
