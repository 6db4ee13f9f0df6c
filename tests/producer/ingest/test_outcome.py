"""What a person reads, and a program gets, at the end of an ingest."""

import json
from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from producer.ingest.outcome import Outcome, print_summary
from producer.ingest.sources.exclusion import PassedOver
from tasks.ledger import Counts, Failure


def an_outcome(counts: Counts, **more: object) -> Outcome:
    facts: dict[str, object] = {
        "job": "20260131-142501-9f3a",
        "root": "/home/ada/Pictures",
        "sources": ["/home/ada/Pictures"],
        "total": counts.finished,
        "counts": counts,
        "seconds": 12.345,
        "first_stored_seconds": None,
        "listed": [],
        **more,
    }
    return Outcome(**facts)  # type: ignore[arg-type]  # of several types, which a dict cannot tell mypy


def failures(count: int) -> list[Failure]:
    return [Failure(number, f"file:///p/{number:02}.jpg", "read", "the file is empty") for number in range(count)]


def read_by_a_person(outcome: Outcome, width: int = 100) -> str:
    console = Console(record=True, width=width, file=StringIO(), force_terminal=True, legacy_windows=False)
    print_summary(outcome, console)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


NEXT = "Job 20260131-142501-9f3a\nFind pictures: python -m producer search WORDS"


def test_when_all_went_well_three_lines_are_enough_and_the_last_one_says_how_to_go_on() -> None:
    assert read_by_a_person(an_outcome(Counts(stored=1200, skipped=34), seconds=72.0)) == (
        f"1,200 stored, 34 unchanged: 1,234 files in 1 m 12 s.\n{NEXT}"
    )


def test_every_file_is_counted_once_and_one_file_is_no_files() -> None:
    assert read_by_a_person(an_outcome(Counts(stored=10, reused=4))).startswith(
        "6 stored, 4 reused: 10 files in 12.3 s."
    )
    assert read_by_a_person(an_outcome(Counts(failed=1), listed=failures(1))).splitlines()[0] == (
        "1 failed: 1 file in 12.3 s."
    )


def test_what_is_still_broken_is_told_with_the_ways_to_go_on() -> None:
    text = read_by_a_person(an_outcome(Counts(stored=1, skipped=10, still_broken=8)), width=200)
    assert text.startswith(
        "1 stored, 2 unchanged, 8 still broken: 11 files in 12.3 s.\n"
        "Still broken is what failed and has not changed since: python -m producer errors 20260131-142501-9f3a lists "
        "it, python -m producer retry 20260131-142501-9f3a tries it again.\n"
    )


def test_failures_are_listed_by_name_stage_and_reason() -> None:
    listed = [
        Failure(0, "file:///p/a%20b.jpg", "read", "the file is empty"),
        Failure(1, "file:///p/[red]c.png", "decode", "the picture is cut off [/red]"),
    ]
    assert read_by_a_person(an_outcome(Counts(stored=1, failed=2), listed=listed)) == (
        "1 stored, 2 failed: 3 files in 12.3 s.\n"
        "at      reason                         failed file\n"
        "read    the file is empty              /p/a b.jpg\n"
        "decode  the picture is cut off [/red]  /p/[red]c.png\n"
        f"{NEXT}"
    )


def test_after_the_first_twenty_failures_comes_the_command_for_the_rest() -> None:
    lines = read_by_a_person(an_outcome(Counts(failed=1025), listed=failures(20))).splitlines()
    assert [line.split()[-1] for line in lines[2:22]] == [f"/p/{number:02}.jpg" for number in range(20)]
    assert lines[22:] == [
        "1,005 more failed: python -m producer errors 20260131-142501-9f3a",
        "Job 20260131-142501-9f3a",
    ]


def test_exactly_twenty_failures_need_no_such_command() -> None:
    assert "more failed" not in read_by_a_person(an_outcome(Counts(failed=20), listed=failures(20)))


def test_a_long_path_has_a_line_of_its_own_and_a_long_reason_is_wrapped_between_words() -> None:
    path = "/" + "p/" * 80 + "x.jpg"
    failure = Failure(0, f"file://{path}", "decode", "word " * 40 + "end")
    lines = read_by_a_person(an_outcome(Counts(failed=1), listed=[failure])).splitlines()
    assert f"  {path}" in lines
    assert sum(line.split().count("word") for line in lines) == 40
    assert "…" not in "".join(lines)


def test_folders_that_could_not_be_entered_are_named() -> None:
    text = read_by_a_person(
        an_outcome(Counts(stored=1), passed_over=PassedOver(unreadable=[f"/p/locked{number}" for number in range(23)]))
    )
    assert "Not entered, no permission or gone: /p/locked0\n" in text
    assert "/p/locked19\n… and 3 more folders that could not be entered.\n" in text


def test_what_was_left_in_flight_is_said_with_the_command_that_goes_on() -> None:
    outcome = an_outcome(
        Counts(stored=5),
        total=300,
        interrupted=True,
        in_flight=16,
        sources=["/home/ada/my pictures", "/home/ada/a.jpg"],
    )
    assert read_by_a_person(outcome).endswith(
        "Interrupted; 16 files went back, for the next time.\n"
        "Resume with: python -m producer ingest '/home/ada/my pictures' /home/ada/a.jpg"
    )


def test_an_interrupted_ingest_with_nothing_left_in_flight_does_not_speak_of_a_queue() -> None:
    text = read_by_a_person(an_outcome(Counts(stored=5), total=300, interrupted=True))
    assert text.endswith(
        "Interrupted; every file that was enqueued is finished.\n"
        "Resume with: python -m producer ingest /home/ada/Pictures"
    )


def test_a_command_stays_in_one_line_however_narrow_the_screen_is() -> None:
    outcome = an_outcome(Counts(failed=30), interrupted=True, sources=["/" + "folder/" * 20], listed=failures(1))
    lines = read_by_a_person(outcome, width=40).splitlines()
    assert f"Resume with: python -m producer ingest /{'folder/' * 20}" in lines
    assert "29 more failed: python -m producer errors 20260131-142501-9f3a" in lines


def test_a_program_gets_one_object_of_plain_numbers() -> None:
    passed_over = PassedOver(Counter({".xmp": 2}), 3, 4, 0, ["/p/locked"])
    outcome = an_outcome(Counts(stored=7, failed=2, skipped=1, reused=3, still_broken=1), passed_over=passed_over)
    assert json.loads(json.dumps(outcome.to_dict())) == {
        "job": "20260131-142501-9f3a",
        "root": "/home/ada/Pictures",
        "sources": ["/home/ada/Pictures"],
        "total": 10,
        "stored": 7,
        "failed": 2,
        "skipped": 1,
        "reused": 3,
        "still_broken": 1,
        "seconds": 12.345,
        "passed_over": {
            "extensions": {".xmp": 2},
            "excluded_files": 3,
            "excluded_folders": 4,
            "linked_folders": 0,
            "not_entered": 1,
        },
    }


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (an_outcome(Counts(stored=3)), 0),
        (an_outcome(Counts(skipped=3)), 0),
        (an_outcome(Counts(skipped=3, still_broken=3)), 0),
        (an_outcome(Counts(stored=3, failed=1)), 1),
        (an_outcome(Counts(stored=3), passed_over=PassedOver(unreadable=["/p/locked"])), 1),
        (an_outcome(Counts(stored=3, failed=1), interrupted=True), 130),
    ],
)
def test_the_exit_code_says_how_it_went(outcome: Outcome, code: int) -> None:
    assert outcome.exit_code == code
