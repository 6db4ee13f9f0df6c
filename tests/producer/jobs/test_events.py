"""A job as Flower hears of it: the events on the real Redis, read by Celery's own receiver."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from celery.events import EventReceiver
from celery.events.state import State

from producer.jobs import events as job_events
from producer.jobs.events import JobEvents
from settings.errors import ServiceMissing
from tasks.app import app
from tests.producer.clock import Clock
from tests.until import until

JOB = "20260131-142501-9f3a"


@pytest.fixture
def heard(client: redis.Redis) -> Iterator[State]:
    """What somebody knows who listens from now on."""
    state = State()
    with app.connection() as connection:
        receiver = EventReceiver(connection, handlers={"*": state.event}, app=app)

        def listen() -> None:
            for _ in receiver.itercapture(limit=None, timeout=None, wakeup=False):
                pass

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        yield state
        receiver.should_stop = True
        listening.join(60)


def test_a_job_that_is_heard_of_late_has_its_name_its_folder_its_progress_and_its_end(
    heard: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_events, "EVERY_SECONDS", 0.0)
    events = JobEvents(app, JOB, "/photos")

    def is_known() -> bool:
        events.progress("41 % · 4,120/10,000 stored")
        return JOB in heard.tasks

    # Its first events may have gone out before anybody listened.
    until(is_known, "the job to be heard of")
    task = heard.tasks[JOB]
    until(lambda: task.state == "PROGRESS", "its progress")
    assert (task.name, task.args, task.root_id) == ("darkroom.ingest_directory", "('/photos',)", JOB)
    assert task.result == "41 % · 4,120/10,000 stored"
    assert task.received
    assert task.started
    events.end("100 %", 12.5)
    until(lambda: task.state == "SUCCESS", "its end")
    assert (task.result, task.runtime) == ("100 %", 12.5)


def state_of(heard: State, leave: Callable[[JobEvents], None]) -> tuple[str, str | None, str | None]:
    """The state of a job that ends in a certain way, its result and its exception."""

    def is_known(events: JobEvents) -> bool:
        events._send("task-started")
        return JOB in heard.tasks

    events = JobEvents(app, JOB, "/photos")
    with suppress(ServiceMissing, KeyboardInterrupt), events:
        # Its first events may have gone out before anybody listened.
        until(lambda: is_known(events), "the job to be heard of")
        leave(events)
    task = until(lambda: heard.tasks[JOB] if heard.tasks[JOB].ready else None, "its end")
    return task.state, task.result, task.exception


def test_a_job_that_was_interrupted_is_no_success(heard: State) -> None:
    ended = state_of(heard, lambda events: events.end("41 %", 12.5, interrupted=True))
    assert ended == ("REVOKED", "41 %", None)


def test_a_job_that_raises_is_a_failure_with_its_sentence(heard: State) -> None:
    def leave(_: JobEvents) -> None:
        raise ServiceMissing("Redis is away for 120 s.")

    assert state_of(heard, leave) == ("FAILURE", None, "Redis is away for 120 s.")


def test_a_job_that_ctrl_c_ends_before_its_end_is_interrupted(heard: State) -> None:
    def leave(_: JobEvents) -> None:
        raise KeyboardInterrupt

    assert state_of(heard, leave) == ("REVOKED", "interrupted", None)


def test_progress_is_told_once_a_second(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(JobEvents, "_send", lambda _self, kind, **_fields: told.append(kind))
    events = JobEvents(app, JOB, "/photos")
    clock = Clock(monkeypatch, job_events)
    for _ in range(2):
        clock.passes(job_events.EVERY_SECONDS)
        for _ in range(100):
            events.progress("41 %")
    assert told == ["task-received", "task-started", "task-progress", "task-progress"]
