"""More events than Flower can follow: jobs first, requests in between, nothing left out."""

import time
from typing import Any

import pytest
from flower.options import options
from tornado.ioloop import IOLoop

from tasks.app import app
from workers import flower_app
from workers.flower_app import FairEvents

FILES = 3000


def event(kind: str, uuid: str, **fields: Any) -> dict[str, Any]:
    now = time.time()
    common = {"hostname": "gpu0@box", "timestamp": now, "local_received": now, "clock": 1, "utcoffset": 0, "pid": 1}
    return {"type": kind, "uuid": uuid, **common, **fields}


@pytest.fixture
def loop() -> IOLoop:
    return IOLoop(make_current=False)


@pytest.fixture
def events(loop: IOLoop, monkeypatch: pytest.MonkeyPatch) -> FairEvents:
    """Three thousand events of files, and then one of a job; the slices are as short as they can be."""
    monkeypatch.setattr(flower_app, "SLICE_SECONDS", 0.0)
    options.task_runtime_metric_buckets = [1.0]
    found = FairEvents(app, loop, max_tasks_in_memory=2 * FILES)
    for number in range(FILES):
        found.on_event(event("task-received", f"file-{number}", name="darkroom.files"))
    found.on_event(event("task-progress", "job", name="darkroom.ingest_directory", result="41 %"))
    return found


def test_a_job_is_true_before_the_files_that_came_earlier(loop: IOLoop, events: FairEvents) -> None:
    seen: list[int] = []

    def look() -> None:
        """What a request sees that comes now."""
        if "job" in events.state.tasks:
            seen.append(len(events.state.tasks))
            loop.stop()
        else:
            loop.add_callback(look)

    loop.add_callback(look)
    loop.start()
    assert events.state.tasks["job"].result == "41 %"
    assert seen[0] < FILES


def test_every_event_is_taken_in_with_requests_in_between(loop: IOLoop, events: FairEvents) -> None:
    requests = 0

    def request() -> None:
        nonlocal requests
        requests += 1
        if len(events.state.tasks) > FILES:
            loop.stop()
        else:
            loop.add_callback(request)

    loop.add_callback(request)
    loop.start()
    assert len(events.state.tasks) == FILES + 1
    assert requests > 100


def test_far_behind_the_oldest_are_left_out_and_memory_stays_bounded(
    loop: IOLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flower_app, "MAX_WAITING", 10)
    options.task_runtime_metric_buckets = [1.0]
    behind = FairEvents(app, loop, max_tasks_in_memory=FILES)
    for number in range(100):
        behind.on_event(event("task-received", f"file-{number}", name="darkroom.files"))
    loop.add_callback(loop.add_callback, loop.stop)
    loop.start()
    assert list(behind.state.tasks) == [f"file-{number}" for number in range(90, 100)]
