"""What came out of a file steers no terminal and computes nothing in a spreadsheet."""

import csv
import io
import json
import unicodedata

import pytest

from settings.plain_text import csv_cell, printable, printable_json, printable_lines


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\x00b", "\x9b31m", "a\rb", "a\nb", "a\tb", "\u202egpj", "\u2066x\u2069", "\udcff"]
)
def test_what_steers_a_terminal_is_shown_and_not_sent(text: str) -> None:
    shown = printable(text)
    assert "\N{REPLACEMENT CHARACTER}" in shown
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs")]
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["Häfen", "京都 紅葉", "a\u3000b", "a\u00a0b", "👩\u200d🚀", "שלום\u200f", "نَعَم"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_lines_stay_lines() -> None:
    assert printable_lines("a\x1b\nb\n") == "a\N{REPLACEMENT CHARACTER}\nb\n"


def test_json_keeps_what_it_does_not_send() -> None:
    fields = {"title": "a\x9b2J\u202eb\x7f", "path": "/ä"}
    line = printable_json(json.dumps(fields, ensure_ascii=False))
    assert line.isprintable()
    assert json.loads(line) == fields


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_a_cell_that_would_be_a_formula_is_a_text(text: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([csv_cell(text)])
    assert file.getvalue().strip('"').startswith("'")


@pytest.mark.parametrize("value", ["file:///a.jpg", "", "a=1", -33.5, 4, None])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert csv_cell(value) == value
