"""One stack a data directory, whatever the environment: from other shells, in the background, after a sleep."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tasks.stack.locks import is_held, read_note
from tests.e2e.conftest import Home, free_port
from tests.e2e.ingests import WITHOUT_MODELS, Gate, Inside, draw_pictures, end_of, local_of
from tests.until import until

pytestmark = pytest.mark.e2e

FILES = 110


@pytest.fixture
def quick(home: Home) -> Home:
    """A home without models."""
    home.settings.update(WITHOUT_MODELS)
    return home


def test_another_shell_uses_the_stack_that_up_has_left_in_the_background_and_down_ends_it(
    quick: Home, tmp_path: Path
) -> None:
    up = quick.run("up", "--detach", "--port", str(free_port()), module="workers")
    local = local_of(quick)
    pid = read_note(local.stack_lock)
    assert up.returncode == 0, up.stderr
    assert up.stderr == f"The stack is up on {quick.data} (process {pid}). Stop it by: python -m workers down\n"
    try:
        shell = {}
        for variable in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME", "XDG_CACHE_HOME"):
            (tmp_path / variable).mkdir()
            shell[variable] = str(tmp_path / variable)
        found = quick.json("status", **shell)
        assert (found["exit"], found["stack"]["pid"], found["stack"]["stays"]) == (0, int(pid), True)
        assert {"supervisor", "redis", "storage"} <= found["stack"]["memory"].keys()
        done = quick.json("ingest", str(draw_pictures(tmp_path / "pictures", 5, seed=1)), **shell)
        assert (done["exit"], done["stored"]) == (0, 5)
        second = quick.run("up", "--port", str(free_port()), module="workers", **shell)
        assert (second.returncode, "is in use by another stack" in second.stderr) == (3, True)
    finally:
        down = quick.run("down", module="workers")
    assert (down.returncode, down.stdout) == (0, f"The stack on {quick.data} is down.\n")
    assert not is_held(local.stack_lock)
    again = quick.run("down", module="workers")
    assert (again.returncode, again.stdout) == (0, f"No stack runs on {quick.data}.\n")


def test_a_stack_that_an_ingest_uses_is_taken_down_only_with_now_and_then_the_ingest_goes_on(
    quick: Home, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", FILES, seed=2)
    # What the worker that is killed holds comes back after this, and not after a minute.
    quick.settings["DARKROOM__BROKER__VISIBILITY_TIMEOUT"] = "6"
    inside, gate = Inside(quick), Gate(quick)
    gate.shut()
    running = quick.start("ingest", str(pictures), "--json")
    until(lambda: inside.stored() > 8, "the first files to be stored")
    # Stopped, it neither finishes the ingest meanwhile nor hears that it is to end.
    inside.signal("gpu0", signal.SIGSTOP)
    gate.open()
    refused = quick.run("down", module="workers")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "A command uses the stack (process " in refused.stderr
    down = quick.run("down", "--now", module="workers")
    assert down.returncode == 0, down.stderr
    ended = end_of(running)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["stored"] == FILES
    assert set(quick.points()) == {file.as_uri() for file in pictures.iterdir()}


@pytest.mark.chaos
def test_an_ingest_that_is_suspended_with_its_stack_goes_on_and_stores_every_file_once(
    quick: Home, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", FILES, seed=3)
    # So short that the leases of all messages run out while everything sleeps.
    quick.settings["DARKROOM__BROKER__VISIBILITY_TIMEOUT"] = "1"
    inside, gate = Inside(quick), Gate(quick)
    gate.shut()
    running = quick.start("ingest", str(pictures), "--json")
    until(lambda: inside.stored() > 8, "the first files to be stored")
    children = [inside.pid(name) for name in ("gpu0", "storage", "redis")]
    processes = [running.pid, int(read_note(inside.local.stack_lock)), *children]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    gate.open()
    try:
        # By the clock of Redis, which goes on while nobody renews anything.
        time.sleep(3)
    finally:
        for pid in reversed(processes):
            os.kill(pid, signal.SIGCONT)
    ended = end_of(running)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"], done["failed"]) == (FILES, FILES, 0)
    assert "ended; starting it again" not in ended.stderr
    assert set(quick.points()) == {file.as_uri() for file in pictures.iterdir()}
