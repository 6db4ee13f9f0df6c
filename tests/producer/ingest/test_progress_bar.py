"""The progress of an ingest: rates, the time left, a bar on a terminal and lines elsewhere."""

from io import StringIO

import pytest
from rich.console import Console

import producer.ingest.progress_bar
from producer.ingest.progress_bar import LINE_SECONDS, RATE_SECONDS, REPEAT_SECONDS, ProgressBar
from tasks.ledger import Counts
from tests.producer.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as the view sees it."""
    return Clock(monkeypatch, producer.ingest.progress_bar)


def a_log() -> Console:
    return Console(record=True, width=100, file=StringIO())


def a_terminal() -> Console:
    return Console(record=True, width=120, file=StringIO(), force_terminal=True)


def lines(console: Console) -> list[str]:
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_elsewhere_than_on_a_terminal_there_is_a_line_now_and_then(clock: Clock) -> None:
    console = a_log()
    with ProgressBar(console) as view:
        for second in range(round(2 * LINE_SECONDS) + 3):
            view.show(Counts(stored=20 * second, skipped=1500), 10_000, None)
            clock.passes(1)
    assert lines(console) == [
        "1720/10000 · 220 stored · 1,500 unchanged · 20/s",
        "1940/10000 · 440 stored · 1,500 unchanged · 20/s",
    ]


def test_what_workers_load_stands_beside_the_counts(clock: Clock) -> None:
    console = a_log()
    with ProgressBar(console) as view:
        clock.passes(LINE_SECONDS + 1)
        view.show(Counts(), 2, None, "downloading nobody/blip: 312 of 990 MB")
    assert lines(console) == ["0/2 · 0 stored · downloading nobody/blip: 312 of 990 MB"]


def test_an_estimate_is_one_line_once_and_only_for_who_looks_on(clock: Clock) -> None:
    terminal, log = a_terminal(), a_log()
    for console in (terminal, log):
        with ProgressBar(console) as view:
            for estimate in ("", "About 9 h", "About 8 h"):
                view.show(Counts(stored=1), 10, None, estimate=estimate)
    told = terminal.export_text()
    assert (told.count("About 9 h"), told.count("About 8 h")) == (1, 0)
    assert "About" not in log.export_text()


def test_a_line_says_that_the_folder_is_still_being_counted(clock: Clock) -> None:
    console = a_log()
    with ProgressBar(console) as view:
        clock.passes(LINE_SECONDS + 1)
        view.show(Counts(stored=3, failed=1), None, None)
    assert lines(console) == ["4/? · 3 stored · 1 failed"]


def test_what_it_waits_for_is_said_once_and_again_only_after_it_went_on(clock: Clock) -> None:
    console = a_log()
    with ProgressBar(console) as view:
        for waits_for in ("Redis is away", "Redis is away", None, "Redis is away", "no GPU worker"):
            view.show(Counts(), 10, waits_for)
    assert lines(console) == ["Redis is away", "Redis is away", "no GPU worker"]


def test_a_sentence_with_nothing_new_but_its_numbers_is_said_again_only_now_and_then(clock: Clock) -> None:
    console = a_log()
    with ProgressBar(console) as view:
        for second in range(round(2 * REPEAT_SECONDS) + 2):
            view.show(Counts(), None, f"nothing finished for {second} s")
            clock.passes(1)
    said = [line for line in lines(console) if line.startswith("nothing")]
    assert said == [f"nothing finished for {second} s" for second in (0, 30, 60)]


def test_a_command_in_a_sentence_stays_in_one_line(clock: Clock) -> None:
    console = a_log()
    sentence = f"Stopped enqueuing. Resume with: python -m producer ingest /{'folder/' * 20}"
    with ProgressBar(console) as view:
        view.say(sentence)
    assert lines(console) == [sentence]


def test_the_bar_shows_counts_rate_and_time_left(clock: Clock) -> None:
    console = a_terminal()
    with ProgressBar(console) as view:
        view.show(Counts(skipped=1000), 4120, None)
        clock.passes(10)
        view.show(Counts(stored=850, failed=20, skipped=1000), 4120, None)
    shown = console.export_text()
    assert "ingest" in shown
    assert "1,870/4,120 · 850 stored · 1,000 unchanged · 20 failed · 87/s" in shown
    assert "26 s left" in shown


def test_skipped_files_make_no_rate_for_they_say_nothing_of_the_time_that_the_others_need(clock: Clock) -> None:
    console = a_terminal()
    with ProgressBar(console) as view:
        view.show(Counts(), 4000, None)
        clock.passes(2)
        view.show(Counts(skipped=2000), 4000, None)
    shown = console.export_text()
    assert "2,000/4,000 · 0 stored · 2,000 unchanged" in shown
    assert "/s" not in shown
    assert "left" not in shown


def test_the_rate_is_that_of_the_last_seconds_not_of_the_whole_job(clock: Clock) -> None:
    console = a_terminal()
    with ProgressBar(console) as view:
        stored = 0
        for second in range(60):
            stored += 100 if second < 30 else 3
            view.show(Counts(stored=stored), 10_000, None)
            clock.passes(1)
    assert RATE_SECONDS < 30
    assert "3,090/10,000 · 3,090 stored · 3.0/s" in console.export_text()


@pytest.mark.parametrize(
    ("total", "expected"), [(700, "1 m 0 s left"), (46, "0 s left"), (100_100, "2 h 46 m left"), (5, "0 s left")]
)
def test_the_time_left_is_told_in_the_units_that_fit(clock: Clock, total: int, expected: str) -> None:
    console = a_terminal()
    with ProgressBar(console) as view:
        view.show(Counts(), total, None)
        clock.passes(10)
        view.show(Counts(stored=100), total, None)
    assert expected in console.export_text()


def test_while_it_waits_the_bar_says_so(clock: Clock) -> None:
    console = a_terminal()
    with ProgressBar(console) as view:
        view.show(Counts(), 10, "no GPU worker is up")
    assert "waiting" in console.export_text()
