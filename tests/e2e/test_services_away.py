"""Services that go away in the middle of an ingest: it says what it waits for, or in one sentence why it ends."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.queues import FILES as FILES_QUEUE
from tasks.queues import POINTS, UNACKED
from tasks.registry import ready
from tests.e2e.conftest import Home, free_port
from tests.e2e.ingests import WITHOUT_MODELS, Gate, Inside, draw_pictures, end_of, wait_for_words
from tests.until import until

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

FILES = 110


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("away") / "pictures", FILES, seed=71)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A stack without models that is kept up for the module."""
    home = Home(tmp_path_factory.mktemp("kept") / "data", dict(WITHOUT_MODELS))
    Gate(home)
    stack = home.start("up", "--port", str(free_port()), module="workers")
    try:
        yield home
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.communicate(timeout=60)


def test_a_redis_that_loses_its_data_ends_the_ingest_in_one_sentence_and_the_next_one_does_the_rest(
    kept: Home, pictures: Path
) -> None:
    inside, gate = Inside(kept), Gate(kept)
    gate.shut()
    running = kept.start("ingest", str(pictures), "--json")
    until(lambda: inside.stored() > 20, "the first files to be stored")
    inside.redis.flushall()
    gate.open()
    ended = end_of(running)
    assert (ended.returncode, ended.stdout) == (3, "")
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("error: Redis has lost its data, and with it the record of this job.")
    assert last.endswith(f"python -m producer ingest {pictures}")
    # The stack itself lives on, and is found again.
    again = kept.json("ingest", str(pictures))
    assert (again["exit"], again["total"], again["failed"]) == (0, FILES, 0)
    assert again["stored"] + again["skipped"] == FILES
    assert again["skipped"] > 20
    assert kept.json("status")["collection"]["points"] == FILES


def test_a_storage_worker_that_stands_still_is_named_and_waited_for(kept: Home, tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "more", FILES, seed=72)
    inside = Inside(kept)
    before = kept.json("status")["collection"]["points"]
    # The test before has lost the registry, where workers sign in again every few seconds.
    until(lambda: "storage" in ready(inside.redis), "the storage worker to be known")
    gate = Gate(kept)
    gate.shut()
    running = kept.start("ingest", str(pictures), "--json", module="tests.e2e.impatient")
    until(inside.stored, "the first file to be stored")
    pid = inside.signal("storage", signal.SIGSTOP)
    gate.open()
    try:
        until(lambda: inside.queued(POINTS), "a batch to wait for the storage worker")
        said = wait_for_words(running, "the storage worker has written nothing for ")
    finally:
        os.kill(pid, signal.SIGCONT)
    ended = end_of(running, said)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"]) == (FILES, FILES)
    assert kept.json("status")["collection"]["points"] == before + FILES


def test_two_producers_on_one_folder_store_every_file_once_and_both_tell_the_truth(kept: Home, tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "shared", FILES, seed=73)
    before = kept.json("status")["collection"]["points"]
    both = [kept.start("ingest", str(pictures), "--json") for _ in range(2)]
    ends = [end_of(process) for process in both]
    assert [ended.returncode for ended in ends] == [0, 0], [ended.stderr for ended in ends]
    counts = [json.loads(ended.stdout) for ended in ends]
    assert len({each["job"] for each in counts}) == 2
    assert [(each["total"], each["stored"] + each["skipped"], each["failed"]) for each in counts] == [
        (FILES, FILES, 0)
    ] * 2
    assert kept.json("status")["collection"]["points"] == before + FILES


def test_what_a_killed_producer_had_enqueued_is_finished_and_status_tells(kept: Home, tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "left", FILES, seed=74)
    inside = Inside(kept)
    gate = Gate(kept)
    gate.shut()
    running = kept.start("ingest", str(pictures), module="tests.e2e.impatient")
    until(inside.stored, "the first file to be stored")
    running.kill()
    gate.open()
    running.communicate()
    until(lambda: not inside.queued(FILES_QUEUE) and not inside.redis.hlen(UNACKED), "the queue to be worked off")
    until(lambda: not inside.redis.keys("darkroom:job:*:producer"), "its lease to run out")
    found = kept.json("status")["jobs"][0]
    stored = inside.stored()
    assert (found["state"], found["stored"], found["failed"]) == ("abandoned", stored, 0)
    assert 60 <= stored <= FILES
    plain = kept.run("status", found["job"]).stdout
    assert f"Go on with: python -m producer ingest {pictures}" in plain
    done = kept.json("ingest", str(pictures))
    assert (done["exit"], done["skipped"], done["stored"]) == (0, stored, FILES - stored)


def test_a_redis_killed_with_its_file_comes_back_empty_and_the_next_ingest_does_the_rest(
    tmp_path: Path, pictures: Path
) -> None:
    home = Home(tmp_path / "data", dict(WITHOUT_MODELS))
    inside, gate = Inside(home), Gate(home)
    gate.shut()
    running = home.start("ingest", str(pictures), "--json")
    until(lambda: inside.stored() > 20, "the first files to be stored")
    shutil.rmtree(inside.local.redis_data)
    inside.signal("redis", signal.SIGKILL)
    gate.open()
    ended = end_of(running)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "error: Redis has lost its data" in ended.stderr
    again = home.json("ingest", str(pictures))
    assert (again["exit"], again["total"], again["failed"]) == (0, FILES, 0)
    assert again["stored"] + again["skipped"] == FILES
    until(lambda: not inside.local.stack_lock.exists(), "the stack to end")
    assert set(home.points()) == {file.as_uri() for file in pictures.iterdir()}
