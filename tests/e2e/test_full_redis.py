"""A Redis that refuses writes in the middle of an ingest: it is named, nobody dies, and the job goes on by itself."""

import json
from pathlib import Path

import pytest

from tasks.queues import FILES, POINTS, UNACKED
from tests.e2e.conftest import Home
from tests.e2e.ingests import WITHOUT_MODELS, Gate, Inside, draw_pictures, end_of, local_of, wait_for_words
from tests.until import until

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

COUNT = 200


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", dict(WITHOUT_MODELS))


def pids(inside: Inside) -> dict[str, int]:
    return {name: inside.pid(name) for name in ("gpu0", "storage", "redis")}


@pytest.mark.parametrize(
    ("setting", "words", "drains"),
    [
        pytest.param("maxmemory", "Redis is full (its maxmemory is reached)", True, id="full"),
        pytest.param(
            "min-replicas-to-write", "Redis takes no writes because too few replicas are there", False, id="no replica"
        ),
    ],
)
def test_a_redis_that_refuses_writes_is_named_and_waited_for_and_every_file_is_stored_once(
    home: Home, tmp_path: Path, setting: str, words: str, drains: bool
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", COUNT, seed=81)
    inside, gate = Inside(home), Gate(home)
    gate.shut()
    running = home.start("ingest", str(pictures), "--json", module="tests.e2e.impatient")
    until(lambda: inside.stored() > 20, "the first files to be stored")
    before = pids(inside)

    inside.redis.config_set(setting, "1")
    gate.open()
    said = wait_for_words(running, words)
    if drains:
        # What was enqueued is worked off although Redis is full, and that makes room.
        until(lambda: not inside.queued(FILES) + inside.queued(POINTS), "the queues to be empty")
        until(lambda: not inside.redis.hlen(UNACKED), "nothing to be in hands")
        assert 20 < inside.stored() < COUNT
    inside.redis.config_set(setting, "0")
    ended = end_of(running, said)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"], done["failed"]) == (COUNT, COUNT, 0)
    assert "ended with" not in ended.stderr
    assert "does not answer" not in ended.stderr
    until(lambda: not inside.local.stack_lock.exists(), "the stack to end")
    assert set(home.points()) == {file.as_uri() for file in pictures.iterdir()}
    for name in before:
        log = (local_of(home).logs / f"{name}.log").read_text(errors="replace")
        assert "Traceback" not in log, log[-3000:]
