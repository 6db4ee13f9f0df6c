"""What Flower remembers of a job with very many files: fed with the events that workers send."""

import pickle
import time
from typing import Any

import pytest
from flower.events import EventsState
from flower.options import options

from workers.flower_app import MAX_CHILDREN, app

FILES = 3 * MAX_CHILDREN
MAX_TASKS = 2 * MAX_CHILDREN


@pytest.fixture(scope="module")
def state() -> Any:
    """After a job of more files than are listed and more than are remembered; the last but one of them failed."""
    options.task_runtime_metric_buckets = [1.0]
    found = EventsState(max_tasks_in_memory=MAX_TASKS)

    now = time.time()

    def tell(kind: str, uuid: str, **fields: Any) -> None:
        found.event(
            {"type": kind, "uuid": uuid, "hostname": "gpu0@box", "timestamp": now, "local_received": now,
             "clock": 1, "utcoffset": 0, "pid": 1, **fields}
        )  # fmt: skip

    tell("task-received", "job", name="darkroom.ingest_directory")
    for number in range(FILES):
        tell("task-received", f"file-{number}", name="darkroom.files", parent_id="job", root_id="job", args=str(number))
        if number == FILES - 2:
            tell("task-failed", f"file-{number}", exception="FilesFailed('no')")
    tell("task-progress", "job", result="41 %")
    return found


def test_the_job_is_still_there_after_more_files_than_are_remembered(state: Any) -> None:
    assert len(state.tasks) == MAX_TASKS
    assert (state.tasks["job"].name, state.tasks["job"].state, state.tasks["job"].result) == (
        "darkroom.ingest_directory", "PROGRESS", "41 %",
    )  # fmt: skip


def test_it_lists_a_bounded_number_of_files_and_the_failed_one(state: Any) -> None:
    listed = {task.uuid for task in state.tasks["job"].children}
    assert 1 < len(listed) <= MAX_CHILDREN + 1
    assert f"file-{FILES - 2}" in listed
    assert set(state.tasks["job"].as_dict()["children"]) == listed


def test_every_file_names_its_job(state: Any) -> None:
    assert {task.root_id for name, task in state.tasks.items() if name != "job"} == {"job"}


def test_a_task_outlives_a_restart_of_flower(state: Any) -> None:
    again = pickle.loads(pickle.dumps(state.tasks["job"]))
    assert (again.uuid, again.result) == ("job", "41 %")


def test_flower_knows_the_tasks_of_other_programs() -> None:
    for name in ("ingest_directory", "embed", "caption", "search"):
        assert f"darkroom.{name}" in app.tasks
    assert app.conf.task_send_sent_event
