"""Stopping what runs while it works: it hands back what it holds, in time, and somebody else goes on."""

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Home, free_port
from tests.e2e.ingests import WITHOUT_MODELS, Gate, Inside, draw_pictures, end_of
from tests.until import is_alive, until

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

# So many that most are left when the stack hears that it is to end.
FILES = 240


def test_a_gpu_worker_and_then_the_whole_stack_that_are_stopped_hand_back_and_the_ingest_goes_on(
    home: Home, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", FILES, seed=91)
    # With leases of an hour only what is handed back can be finished in time.
    home.settings.update({**WITHOUT_MODELS, "DARKROOM__BROKER__VISIBILITY_TIMEOUT": "3600"})
    gate = Gate(home)
    gate.shut()
    stack = home.start("up", "--port", str(free_port()), module="workers")
    inside = Inside(home)
    inside.pid("storage")
    running = home.start("ingest", str(pictures), "--json")

    until(lambda: inside.stored() > 8, "the first files to be stored")
    worker = inside.signal("gpu0", signal.SIGTERM)
    gate.open()
    until(lambda: not is_alive(worker), "the worker to end")
    gate.shut()
    after = inside.stored()
    until(lambda: inside.stored() > after + 16, "another worker to go on")

    children = [inside.pid(name) for name in ("redis", "storage", "gpu0")]
    stack.send_signal(signal.SIGTERM)
    gate.open()
    _, said = stack.communicate(timeout=60)
    assert stack.returncode == 0, said
    assert [pid for pid in children if is_alive(pid)] == []

    ended = end_of(running)
    assert ended.returncode == 0, ended.stderr
    assert "The local stack has ended; starting it again." in ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"], done["failed"]) == (FILES, FILES, 0)
    until(lambda: not inside.local.stack_lock.exists(), "the stack to end")
    assert set(home.points()) == {file.as_uri() for file in pictures.iterdir()}
