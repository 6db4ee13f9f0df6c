"""Words and histograms."""

import io

import pytest
from rich.console import Console

from producer.collection.stats import BAR, Stats, count_words, print_histogram, print_stats

STATS = Stats(
    collection="pictures",
    clip_model="openai/clip",
    points=3,
    formats={"JPEG": 2, "PNG": 1},
    years={"2023": 1, "2024": 1},
    months={"2023-12": 1, "2024-01": 1},
    undated=1,
    cameras={"X100": 2},
    lenses={},
    places={},
    concepts={},
    folders={"/p": 3},
    subfolders={"/p/2023": 2, "/p": 1},
    words={"dog": 2},
    captions_read=2,
)


def a_console(terminal: bool) -> Console:
    return Console(
        width=80, no_color=True, file=io.StringIO(), record=True, force_terminal=terminal, legacy_windows=False
    )


def lines_of(console: Console) -> list[str]:
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_each_caption_counts_a_word_once_and_empty_words_never() -> None:
    counted = count_words(["a Red circle above a red star", "the star of the sea", "Ä1 naïve café", "x"])
    assert counted == {"star": 2, "red": 1, "circle": 1, "above": 1, "sea": 1, "naïve": 1, "café": 1}
    assert count_words(["a photograph of a dog on a white background"]) == {"dog": 1, "white": 1}


def test_the_longest_bar_has_its_full_length_and_none_is_missing() -> None:
    console = a_console(terminal=True)
    print_histogram({"JPEG": 1200, "PNG": 600, "GIF": 1}, console)
    assert lines_of(console) == [
        "1,200  " + 24 * "█" + "  JPEG",
        "  600  " + 12 * "█" + 12 * " " + "  PNG",
        "    1  █" + 23 * " " + "  GIF",
    ]


def test_the_whole_page() -> None:
    console = a_console(terminal=True)
    print_stats(STATS, console)
    bar = 24 * "█"
    assert lines_of(console) == [
        "Collection pictures: 3 points, openai/clip",
        "",
        "Formats",
        f"2  {bar}  JPEG",
        f"1  {12 * '█'}{12 * ' '}  PNG",
        "",
        "Years, 1 without a date",
        f"1  {bar}  2023",
        f"1  {bar}  2024",
        "",
        "Months",
        f"1  {bar}  2023-12",
        f"1  {bar}  2024-01",
        "",
        "Cameras",
        f"2  {bar}  X100",
        "",
        "Folders",
        f"3  {bar}  /p",
        "",
        "Subfolders",
        f"2  {bar}  /p/2023",
        f"1  {12 * '█'}{12 * ' '}  /p",
        "",
        "Words of 2 captions",
        f"2  {bar}  dog",
    ]


def test_in_a_pipe_each_value_is_a_line() -> None:
    console = a_console(terminal=False)
    print_stats(STATS, console)
    lines = lines_of(console)
    assert lines[:3] == ["formats\t2\tJPEG", "formats\t1\tPNG", "years\t1\t2023"]
    assert lines[-1] == "words\t2\tdog"


@pytest.mark.parametrize(("encoding", "block"), [("utf-8", "█"), ("ascii", "#"), ("iso-8859-1", "#")])
def test_a_bar_is_drawn_with_what_the_terminal_has(encoding: str, block: str) -> None:
    written = io.BytesIO()
    file = io.TextIOWrapper(written, encoding=encoding, write_through=True)
    print_histogram({"JPEG": 2}, Console(file=file, force_terminal=True, width=80))
    assert BAR * block in written.getvalue().decode(encoding)
