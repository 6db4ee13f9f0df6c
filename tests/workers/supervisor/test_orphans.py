"""What a killed supervisor left is ended by the next; real processes, and no stranger is hit."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from settings.errors import ServiceMissing
from tasks.stack.locks import acquire
from tasks.stack.paths import StackPaths
from tests.until import files_below
from workers.supervisor import processes
from workers.supervisor.processes import ChildSpec, spawn


@contextmanager
def orphan(local: StackPaths, script: str, file: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    spec = ChildSpec("kid", (sys.executable, "-c", script))
    process = spawn(spec, local.logs / "kid.log", file or pid_file(local))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pid_file(local: StackPaths) -> Path:
    return local.pids / "kid.pid"


def test_an_orphan_is_asked_to_end(local: StackPaths) -> None:
    with orphan(local, "import time; time.sleep(600)") as process:
        processes.end_orphans(local.pids)
        assert process.wait(timeout=60) == -15
    assert files_below(local.pids) == []


def test_an_orphan_that_does_not_listen_is_killed(local: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    with orphan(local, script + "time.sleep(600)") as process:
        while not (local.logs / "kid.log").read_text():
            assert process.poll() is None
        processes.end_orphans(local.pids)
        assert process.wait(timeout=60) == -9
    assert files_below(local.pids) == []


def test_a_stranger_with_the_process_id_of_a_dead_child_lives_on(local: StackPaths) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as stranger:
        pid_file(local).write_text(str(stranger.pid))
        processes.end_orphans(local.pids)
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
    assert files_below(local.pids) == []


def of_fleet(local: StackPaths) -> Path:
    return local.runtime / "kid.pid"


def test_what_a_killed_supervisor_of_a_fleet_left_is_ended_by_the_next_one(local: StackPaths) -> None:
    with orphan(local, "import time; time.sleep(600)", of_fleet(local)) as process:
        processes.take_over(local, "kid").remove()
        assert process.wait(timeout=60) == -15
    assert files_below(local.runtime) == []


def test_what_a_living_supervisor_runs_is_left_alone(local: StackPaths) -> None:
    with orphan(local, "import time; time.sleep(600)", of_fleet(local)) as process:
        fleet = acquire(local.runtime / "kid.supervisor")
        assert fleet
        with pytest.raises(ServiceMissing, match=f"^kid runs already as process {process.pid}: stop it first.$"):
            processes.take_over(local, "kid")
        fleet.remove()
        assert process.poll() is None


def test_a_child_of_the_stack_gets_no_fleet_beside_it(local: StackPaths) -> None:
    with orphan(local, "import time; time.sleep(600)") as process:
        stack = acquire(local.stack_lock)
        assert stack
        with pytest.raises(ServiceMissing, match=f"^kid runs already as process {process.pid}: stop it first.$"):
            processes.take_over(local, "kid")
        stack.remove()
        assert process.poll() is None
