"""Words and histograms."""

from rich.console import Console

from producer.collection.stats import Stats, count_words, histogram, print_stats


def printed(*things: object) -> list[str]:
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        for thing in things:
            console.print(thing)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_each_caption_counts_a_word_once_and_empty_words_never() -> None:
    counted = count_words(["a Red circle above a red star", "the star of the sea", "Ä1 naïve café", "x"])
    assert counted == {"star": 2, "red": 1, "circle": 1, "above": 1, "sea": 1, "naïve": 1, "café": 1}


def test_the_longest_bar_is_forty_signs_and_none_is_missing() -> None:
    assert printed(histogram({"JPEG": 1200, "PNG": 600, "GIF": 1})) == [
        "JPEG  1,200  " + 40 * "█",
        "PNG     600  " + 20 * "█",
        "GIF       1  █",
    ]


def test_the_whole_page() -> None:
    stats = Stats(
        collection="pictures",
        clip_model="openai/clip",
        points=3,
        formats={"JPEG": 2, "PNG": 1},
        years={"2023": 1, "2024": 1},
        undated=1,
        cameras={"X100": 2},
        lenses={},
        folders={"/p": 3},
        words={"dog": 2},
        captions_read=2,
    )
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        print_stats(stats, console)
    assert [line.rstrip() for line in capture.get().splitlines()] == [
        "Collection pictures: 3 points, openai/clip",
        "",
        "Formats",
        "JPEG  2  " + 40 * "█",
        "PNG   1  " + 20 * "█",
        "",
        "Years, 1 without a date",
        "2023  1  " + 40 * "█",
        "2024  1  " + 40 * "█",
        "",
        "Cameras",
        "X100  2  " + 40 * "█",
        "",
        "Folders",
        "/p  3  " + 40 * "█",
        "",
        "Words of 2 captions",
        "dog  2  " + 40 * "█",
    ]
