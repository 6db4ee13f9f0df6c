"""The window: how much is under way at a time, and what is published, read from the real queue."""

import pytest
import redis

from producer.ingest.plan import Numbered
from producer.ingest.sources.scan import FileRef
from producer.ingest.window import Window
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem
from tasks.queues import FILES, LEFT, PROCESS_FILES
from tests.producer.files import ROOT_URI, TARGET, numbered, take_all


def a_window(client: redis.Redis, size: int = 10, files_per_task: int = 1) -> Window:
    return Window(Ledger(client, "job"), TARGET, ROOT_URI, size, files_per_task)


def test_a_file_is_one_task_that_carries_its_number_its_address_and_its_job(client: redis.Redis) -> None:
    a_window(client).enqueue(numbered(0, 1))
    first, second = take_all()
    assert first.task == second.task == PROCESS_FILES
    assert first.shown == "0.png"
    assert first.job_of_the_task == "job"
    assert (first.message.job, first.message.root) == ("job", ROOT_URI)
    assert first.message.files == [FileItem(0, f"{ROOT_URI}/0.png", False)]
    assert second.message.files == [FileItem(1, f"{ROOT_URI}/1.png", False)]


@pytest.mark.parametrize(
    ("per_task", "expected"), [(1, [[0], [1], [2], [3], [4]]), (2, [[0, 1], [2, 3], [4]]), (64, [[0, 1, 2, 3, 4]])]
)
def test_a_task_holds_as_many_files_as_the_settings_say(
    client: redis.Redis, per_task: int, expected: list[list[int]]
) -> None:
    a_window(client, files_per_task=per_task).enqueue(numbered(*range(5)))
    assert [taken.numbers for taken in take_all()] == expected


def test_more_files_than_one_publish_batch_all_arrive_in_order(client: redis.Redis) -> None:
    window = a_window(client, size=3000)
    window.enqueue(numbered(*range(2345)))
    assert client.llen(FILES) == window.enqueued == 2345
    assert [taken.numbers for taken in take_all()] == [[number] for number in range(2345)]


def test_there_is_room_for_what_is_finished_and_for_no_file_more(client: redis.Redis) -> None:
    window = a_window(client, size=10)
    assert window.room == 10
    window.enqueue(numbered(*range(10)))
    assert window.room == 0
    assert window.forget_finished() == 0
    Ledger(client, "job").stored([0, 3], [False, True])
    Ledger(client, "job").failed([Failure(7, f"{ROOT_URI}/7.png", "read", "the file is empty")])
    assert window.forget_finished() == 3
    assert window.room == 3
    assert sorted(window.under_way) == [1, 2, 4, 5, 6, 8, 9]
    window.enqueue(numbered(10, 11, 12))
    assert window.room == 0


def test_what_another_job_has_stored_makes_no_room(client: redis.Redis) -> None:
    window = a_window(client)
    window.enqueue(numbered(0))
    Ledger(client, "another").stored([0], [False])
    assert window.forget_finished() == 0


def test_an_empty_window_publishes_and_forgets_nothing(client: redis.Redis) -> None:
    window = a_window(client)
    window.enqueue([])
    assert (window.forget_finished(), window.enqueued) == (0, 0)
    assert client.llen(FILES) == 0


def test_a_worker_looks_for_a_sidecar_where_the_scan_has_seen_one_or_could_not_look(client: redis.Redis) -> None:
    files = [FileRef("file:///a", 1, 2), FileRef("file:///b", 1, 2, (3, 4)), FileRef("file:///c", -1, -1)]
    a_window(client, files_per_task=3).enqueue([Numbered(number, file) for number, file in enumerate(files)])
    (taken,) = take_all()
    assert [item.may_have_sidecar for item in taken.message.files] == [False, True, True]


def test_published_again_is_exactly_what_is_still_under_way(client: redis.Redis) -> None:
    window = a_window(client, files_per_task=2)
    window.enqueue(numbered(0, 1, 2, 3, 4))
    take_all()
    Ledger(client, "job").stored([1, 2], [False, False])
    window.forget_finished()
    window.publish_again(window.under_way)
    again = take_all()
    assert [taken.numbers for taken in again] == [[0, 3], [4]]
    assert again[0].message.files[0] == FileItem(0, f"{ROOT_URI}/0.png", False)
    assert window.enqueued == 5


def test_what_no_worker_has_taken_is_withdrawn_and_that_of_other_jobs_stays(client: redis.Redis) -> None:
    window = a_window(client)
    other = Window(Ledger(client, "job-2"), TARGET, ROOT_URI, 10, 1)
    window.enqueue(numbered(0, 1))
    other.enqueue(numbered(5))
    window.enqueue(numbered(2))
    client.rpoplpush(FILES, LEFT)
    assert window.withdraw() == 3
    assert client.llen(LEFT) == 0
    assert [taken.numbers for taken in take_all()] == [[5]]
    assert window.withdraw() == 0


def test_each_file_is_sent_with_the_root_that_its_number_belongs_to(client: redis.Redis) -> None:
    window = a_window(client, files_per_task=2)
    window.begin_root(0, ROOT_URI)
    window.begin_root(3, "file:///other")
    window.enqueue(numbered(0, 1, 2, 3, 4))
    sent = take_all()
    assert [(taken.message.root, taken.numbers) for taken in sent] == [
        (ROOT_URI, [0, 1]),
        (ROOT_URI, [2]),
        ("file:///other", [3, 4]),
    ]
    window.publish_again([4, 0])
    assert [(taken.message.root, taken.numbers) for taken in take_all()] == [("file:///other", [4]), (ROOT_URI, [0])]


def test_the_name_that_is_shown_of_a_file_can_be_read(client: redis.Redis) -> None:
    file = FileRef(f"{ROOT_URI}/2019%20Tokyo/%C3%A4.png", 1, 1)
    a_window(client).enqueue([Numbered(0, file)])
    assert [taken.shown for taken in take_all()] == ["2019 Tokyo/ä.png"]
