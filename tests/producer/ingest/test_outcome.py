"""What a person reads, and a program gets, at the end of an ingest."""

import json
from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from producer.ingest.outcome import Outcome, print_summary
from producer.ingest.sources.exclusion import PassedOver
from producer.jobs.tables import failures_table
from tasks.ledger import Counts, Failure


def an_outcome(counts: Counts, **more: object) -> Outcome:
    facts: dict[str, object] = {
        "job": "20260131-142501-9f3a",
        "root": "/home/ada/Pictures",
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
    console = Console(record=True, width=width, file=StringIO())
    print_summary(outcome, console)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def test_when_all_went_well_two_lines_are_enough() -> None:
    assert read_by_a_person(an_outcome(Counts(stored=1200, skipped=34), first_stored_seconds=4.0)) == (
        "1,200 stored, 34 unchanged, 0 failed: 1,234 files in 12.3 s "
        "(first one stored after 4.0 s, start-up included).\n"
        "Job 20260131-142501-9f3a"
    )


def test_reused_files_are_told_as_a_part_of_the_stored_ones() -> None:
    text = read_by_a_person(an_outcome(Counts(stored=10, reused=4)))
    assert text.startswith("10 stored (4 of them reused, without a model), 0 unchanged, 0 failed: 10 files in 12.3 s.")


def test_failures_are_listed_by_name_stage_and_reason() -> None:
    listed = [
        Failure(0, "file:///p/a%20b.jpg", "read", "the file is empty"),
        Failure(1, "file:///p/[red]c.png", "decode", "the picture is cut off [/red]"),
    ]
    assert read_by_a_person(an_outcome(Counts(stored=1, failed=2), listed=listed)) == (
        "1 stored, 0 unchanged, 2 failed: 3 files in 12.3 s.\n"
        "failed file    at      reason\n"
        "/p/a b.jpg     read    the file is empty\n"
        "/p/[red]c.png  decode  the picture is cut off [/red]\n"
        "Job 20260131-142501-9f3a"
    )


def test_after_the_first_twenty_failures_comes_the_command_for_the_rest() -> None:
    lines = read_by_a_person(an_outcome(Counts(failed=1025), listed=failures(20))).splitlines()
    assert [line.split()[0] for line in lines[2:22]] == [f"/p/{number:02}.jpg" for number in range(20)]
    assert lines[22:] == [
        "1,005 more failed: python -m producer errors 20260131-142501-9f3a",
        "Job 20260131-142501-9f3a",
    ]


def test_exactly_twenty_failures_need_no_such_command() -> None:
    assert "more failed" not in read_by_a_person(an_outcome(Counts(failed=20), listed=failures(20)))


def test_a_long_path_and_a_long_reason_are_folded_and_nothing_is_cut_off() -> None:
    failure = Failure(0, "file:///" + "p/" * 80 + "x.jpg", "decode", "word " * 40 + "end")
    text = read_by_a_person(an_outcome(Counts(failed=1), listed=[failure]))
    assert "…" not in text
    rows = [line.split() for line in text.splitlines()[2:]]
    assert sum(" ".join(row).count("word") for row in rows) == 40
    path = "".join(part for row in rows for part in row if "/" in part or part.endswith(".jpg"))
    assert path.startswith("/" + "p/" * 80)


def test_folders_that_could_not_be_entered_are_named() -> None:
    text = read_by_a_person(
        an_outcome(Counts(stored=1), passed_over=PassedOver(unreadable=[f"/p/locked{number}" for number in range(23)]))
    )
    assert "Not entered, no permission or gone: /p/locked0\n" in text
    assert "/p/locked19\n… and 3 more folders that could not be entered.\n" in text


def test_what_was_left_in_flight_is_said_with_the_command_that_goes_on() -> None:
    outcome = an_outcome(Counts(stored=5), total=300, interrupted=True, in_flight=16, root="/home/ada/my pictures")
    assert read_by_a_person(outcome).endswith(
        "Interrupted with 16 files in flight; they stay in the queue.\n"
        "Resume with: python -m producer ingest '/home/ada/my pictures'"
    )


def test_an_interrupted_ingest_with_nothing_left_in_flight_does_not_speak_of_a_queue() -> None:
    text = read_by_a_person(an_outcome(Counts(stored=5), total=300, interrupted=True))
    assert text.endswith(
        "Interrupted; every file that was enqueued is finished.\n"
        "Resume with: python -m producer ingest /home/ada/Pictures"
    )


def test_a_command_stays_in_one_line_however_narrow_the_screen_is() -> None:
    outcome = an_outcome(Counts(failed=30), interrupted=True, root="/" + "folder/" * 20, listed=failures(1))
    lines = read_by_a_person(outcome, width=40).splitlines()
    assert f"Resume with: python -m producer ingest /{'folder/' * 20}" in lines
    assert "29 more failed: python -m producer errors 20260131-142501-9f3a" in lines


def test_a_program_gets_one_object_of_plain_numbers() -> None:
    passed_over = PassedOver(Counter({".xmp": 2}), 3, 4, 0, ["/p/locked"])
    outcome = an_outcome(Counts(stored=7, failed=2, skipped=1, reused=3), passed_over=passed_over)
    assert json.loads(json.dumps(outcome.to_dict())) == {
        "job": "20260131-142501-9f3a",
        "root": "/home/ada/Pictures",
        "total": 10,
        "stored": 7,
        "failed": 2,
        "skipped": 1,
        "reused": 3,
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
        (an_outcome(Counts(stored=3, failed=1)), 1),
        (an_outcome(Counts(stored=3), passed_over=PassedOver(unreadable=["/p/locked"])), 1),
        (an_outcome(Counts(stored=3, failed=1), interrupted=True), 130),
    ],
)
def test_the_exit_code_says_how_it_went(outcome: Outcome, code: int) -> None:
    assert outcome.exit_code == code


def test_the_table_of_failures_has_a_row_a_file() -> None:
    assert failures_table(failures(45)).row_count == 45
