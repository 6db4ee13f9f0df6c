"""Records: a table on a terminal that breaks no path, and lines of fields in a pipe."""

import io
import re

from rich.console import Console

from producer.table import Cell, Column, count_cell, file_cell, print_records

COLUMNS = (Column("score", is_number=True), Column("caption"), Column("file"))
LINK = re.compile("\x1b]8;[^;]*;([^\x1b]*)\x1b\\\\")


def a_console(terminal: bool = True, width: int = 80) -> Console:
    return Console(
        width=width,
        file=io.StringIO(),
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        legacy_windows=False,
        _environ={},
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plain(console: Console) -> list[str]:
    """The lines as a person sees them."""
    return [line.rstrip() for line in re.sub("\x1b\\[[0-9;]*m", "", LINK.sub("", written(console))).splitlines()]


def row(score: str, caption: str, path: str) -> list[Cell]:
    return [Cell(score), Cell(caption), file_cell(f"file://{path}")]


def test_what_fits_is_a_table_with_a_header() -> None:
    console = a_console()
    print_records(console, COLUMNS, [row("0.5", "a dog", "/p/a.jpg"), row("-0.25", "a grey cat", "/p/b.jpg")])
    assert plain(console) == [
        "score  caption     file",
        "  0.5  a dog       /p/a.jpg",
        "-0.25  a grey cat  /p/b.jpg",
    ]


def test_a_path_that_does_not_fit_has_a_line_of_its_own_and_is_never_broken() -> None:
    path = "/p/2019-03%20Tokyo/" + 100 * "x" + ".jpg"
    console = a_console()
    print_records(console, COLUMNS, [row("0.5", 12 * "brown star " + "end", path)])
    assert plain(console) == [
        "  0.5  " + " ".join(6 * ["brown star"]) + " brown",
        "       star " + " ".join(5 * ["brown star"]) + " end",
        "  /p/2019-03 Tokyo/" + 100 * "x" + ".jpg",
    ]


def test_a_column_without_any_value_is_left_out_and_one_column_alone_is_not_moved() -> None:
    console = a_console()
    print_records(console, COLUMNS, [row("", "", "/p/" + 100 * "x")])
    assert plain(console) == ["file", "/p/" + 100 * "x"]


def test_a_terminal_opens_the_file_behind_a_path() -> None:
    console = a_console()
    print_records(console, [Column("file")], [[file_cell("file:///p/a%20b.jpg")], [file_cell("s3://b/c.jpg")]])
    assert [link for link in LINK.findall(written(console)) if link] == ["file:///p/a%20b.jpg"]


def test_a_pipe_gets_every_field_of_a_record_in_one_line_and_nothing_else() -> None:
    console = a_console(terminal=False, width=20)
    cells = [Cell("", None), Cell("a\tb\nc", style="red"), count_cell(12345), count_cell(None)]
    print_records(console, [Column(name) for name in "abcde"], [[*cells, file_cell("file:///p/" + 90 * "x")]])
    assert written(console) == "\ta b c\t12345\t\t/p/" + 90 * "x" + "\n"


def test_no_records_are_no_output() -> None:
    for terminal in (True, False):
        console = a_console(terminal)
        print_records(console, COLUMNS, [])
        assert written(console) == ""
