"""Files that come a second time: their last worker may have died of them."""

from pathlib import Path

from tests.workers.gpu.bench import Open, files_of


def test_a_redelivered_file_that_is_done_is_dropped(bench: Open, folder: Path) -> None:
    own = bench()
    files = files_of(folder, 4)
    own.ledger.stored([files[1].number], [False])
    own.ledger.skipped([files[2].number])
    own.process(files, redelivered=True)
    assert set(own.rows) == {files[0].number, files[3].number}
    assert own.failures == {}


def test_a_file_that_took_its_workers_down_is_failed_and_its_neighbours_go_through(bench: Open, folder: Path) -> None:
    own = bench()
    files = files_of(folder, 3)
    limit = own.settings.ingest.max_attempts
    for _ in range(limit - 1):  # the first delivery, which leaves no note, was one more
        own.ledger.count_attempt(files[1].number)
    own.process(files, redelivered=True)
    assert own.failures == {files[1].number: f"its worker died while loading it, {limit} times over"}
    assert set(own.rows) == {files[0].number, files[2].number}


def test_a_file_noted_less_often_is_tried_again_and_a_good_load_adds_no_note(bench: Open, folder: Path) -> None:
    own = bench()
    (item,) = files_of(folder, 1)
    notes = own.settings.ingest.max_attempts - 2
    for _ in range(notes):
        own.ledger.count_attempt(item.number)
    own.process([item], redelivered=True)
    assert set(own.rows) == {item.number}
    assert own.ledger.count_attempt(item.number) == notes + 1


def test_a_first_delivery_leaves_no_note(bench: Open, folder: Path) -> None:
    own = bench()
    (item,) = files_of(folder, 1)
    own.process([item])
    assert own.ledger.count_attempt(item.number) == 1
