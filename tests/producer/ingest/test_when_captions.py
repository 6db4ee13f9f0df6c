"""What an ingest does by what the workers compute on: when it writes captions, how many files a task has."""

import os
from pathlib import Path

import pytest
import redis

from producer.ingest.start import when_captions
from producer.ingest.window import files_per_task
from producer.stack import Stack
from producer.targets import target_here
from settings import Settings, load_settings
from tasks.messages import Target
from tasks.queues import COLLECTION_NAME
from tasks.registry import announce
from tasks.stack.locks import acquire
from tasks.stack.record import write_record
from tests.own_settings import own_settings


def with_captions(when: str, wanted: bool = True) -> Settings:
    settings = load_settings()
    ingest = settings.ingest.model_copy(update={"captions": when})
    models = settings.models.model_copy(update={"captions": wanted})
    return settings.model_copy(update={"ingest": ingest, "models": models})


def begin_workers(client: redis.Redis, *devices: str) -> None:
    announce(client, "storage", Target(COLLECTION_NAME))
    for number, device in enumerate(devices):
        announce(client, f"gpu{number}", Target(COLLECTION_NAME, "clip", "blip"), device)


@pytest.mark.parametrize(
    ("devices", "when"),
    [
        (["cpu"], "later"),
        (["cpu", "cpu"], "later"),
        (["NVIDIA A10"], "now"),
        (["cpu", "NVIDIA A10"], "now"),
        ([], "now"),
    ],
    ids=["a CPU", "two", "a GPU", "one of each", "nobody has said so"],
)
def test_captions_come_later_where_all_models_run_on_cpus(client: redis.Redis, devices: list[str], when: str) -> None:
    begin_workers(client, *devices)
    settings = with_captions("auto")
    assert when_captions(settings, Stack(settings)) == when


@pytest.mark.parametrize(
    ("devices", "files"),
    [(["cpu"], 1), (["NVIDIA A10"], 8), (["NVIDIA A10", "Apple GPU"], 8), (["cpu", "NVIDIA A10"], 1), ([], 1)],
    ids=["a CPU", "a GPU", "two", "one of each", "nobody has said so"],
)
def test_a_task_has_several_files_where_all_models_run_on_gpus(
    client: redis.Redis, devices: list[str], files: int
) -> None:
    begin_workers(client, *devices)
    settings = with_captions("auto")
    assert files_per_task(settings, Stack(settings)) == files
    three = settings.ingest.model_copy(update={"files_per_task": 3})
    assert files_per_task(settings.model_copy(update={"ingest": three}), Stack(settings)) == 3


@pytest.mark.parametrize("on_cpu", [True, False])
def test_a_local_stack_says_itself_what_it_computes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_cpu: bool
) -> None:
    settings = own_settings(tmp_path, monkeypatch)
    stack = Stack(settings)
    assert files_per_task(settings, stack) == 1, "there is none yet"
    stack.local.create()
    with acquire(stack.local.stack_lock) as lock:  # type: ignore[union-attr]  # nobody else has it
        lock.write(str(os.getpid()))
        write_record(settings, stack.local, stays=True, on_cpu=on_cpu)
        assert files_per_task(settings, stack) == (1 if on_cpu else 8)


@pytest.mark.parametrize("when", ["now", "later", "never"])
def test_what_the_setting_says_is_done_whatever_they_run_on(client: redis.Redis, when: str) -> None:
    begin_workers(client, "cpu")
    settings = with_captions(when)
    assert when_captions(settings, Stack(settings)) == when


@pytest.mark.parametrize(
    ("when", "asked", "are_written"),
    [("auto", None, True), ("later", None, True), ("never", None, False), ("never", True, True), ("now", False, False)],
)
def test_a_job_that_nobody_asks_for_captions_goes_by_the_setting(
    client: redis.Redis, when: str, asked: bool | None, are_written: bool
) -> None:
    settings = with_captions(when)
    assert bool(target_here(settings, Stack(settings), captions=asked).blip) == are_written


def test_where_none_are_written_there_is_no_second_job(client: redis.Redis) -> None:
    begin_workers(client, "cpu")
    settings = with_captions("auto", wanted=False)
    assert when_captions(settings, Stack(settings)) == "now"
