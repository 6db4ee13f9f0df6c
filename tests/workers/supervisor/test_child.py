"""One supervised child, with real processes."""

import io
import math
import sys
from pathlib import Path

import pytest

from settings.errors import ServiceMissing
from tasks.stack import paths as stack_paths
from tasks.stack.locks import is_held, read_note
from tasks.stack.paths import StackPaths
from tests.until import is_alive, until
from workers.exit_codes import DEVICE_FAILED
from workers.supervisor.child import Child, Ended
from workers.supervisor.processes import ChildSpec


def child(local: StackPaths, script: str, **spec: object) -> Child:
    # The fields of a spec are of several types, which keyword arguments in one dict cannot tell mypy.
    made = Child(ChildSpec("kid", (sys.executable, "-c", script), **spec), local)  # type: ignore[arg-type]  # fields of any type
    made.wanted = True
    return made


def next_end(kid: Child) -> Ended:
    return until(kid.tend, "the child to end")


def test_a_child_starts_only_when_it_is_wanted(local: StackPaths) -> None:
    kid = child(local, "")
    kid.wanted = False
    kid.tend()
    assert kid.pid is None


def test_its_output_goes_to_a_log_of_its_name_and_its_environment_is_the_parents_and_its_own(local: StackPaths) -> None:
    kid = child(local, "import os; print(os.environ['PATH'] != '', os.environ['OWN'])", env={"OWN": "yes"})
    next_end(kid)
    assert (local.logs / "kid.log").read_text() == "True yes\n"


def test_each_death_doubles_the_delay_and_the_third_in_a_row_is_a_fault(local: StackPaths) -> None:
    kid = child(local, "raise SystemExit(1)")
    deaths = [next_end(kid) for _ in range(3)]
    assert [death.retry_seconds for death in deaths] == [0.5, 1.0, 2.0]
    assert [death.fault is None for death in deaths] == [True, True, False]
    assert str(deaths[2]) == (
        f"kid ended with exit code 1, 3 times in a row; its log is {kid.log}. Starting it again in 2 s."
    )


@pytest.mark.parametrize("code", [2, 3])
def test_wrong_use_and_a_missing_service_are_told_at_once_and_tried_again_seldom(local: StackPaths, code: int) -> None:
    kid = child(local, f"print('error: no such thing.'); raise SystemExit({code})")
    end = next_end(kid)
    assert (end.fault, end.retry_seconds) == ("no such thing.", 30)


def test_the_sentence_of_an_earlier_life_is_not_taken_for_the_reason(local: StackPaths) -> None:
    (local.logs / "kid.log").write_text("error: long ago\n")
    end = next_end(child(local, "raise SystemExit(3)"))
    assert end.fault == f"kid ended with exit code 3; its log is {local.logs / 'kid.log'}."


def test_a_child_that_works_again_starts_with_a_short_delay(local: StackPaths) -> None:
    kid = child(local, "raise SystemExit(1)")
    next_end(kid)
    until(lambda: kid.tend() or kid.pid, "the second start")
    assert kid.pid
    assert not kid.settled(announced=None)
    assert not kid.settled(announced=kid.pid + 1)
    assert kid.settled(announced=kid.pid)
    assert next_end(kid).retry_seconds == 0.5


def test_a_child_that_worked_and_died_between_two_looks_is_not_one_that_cannot_start(local: StackPaths) -> None:
    kid = child(local, "raise SystemExit(1)")
    for _ in range(4):
        pid = until(lambda: kid.tend() or kid.pid, "the start")
        end = next_end(kid)
        assert (end.retry_seconds, end.fault) == (0.5, None)
        assert isinstance(pid, int)
        assert not kid.settled(announced=pid)


def test_what_a_child_has_started_ends_with_it(local: StackPaths) -> None:
    script = (
        "import subprocess, sys\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)\n"
    )
    kid = child(local, script)
    next_end(kid)
    grandchild = int(kid.log.read_text())
    until(lambda: not is_alive(grandchild), "the grandchild to end")


def test_a_child_that_does_not_listen_is_killed(local: StackPaths) -> None:
    script = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(600)\n"
    )
    kid = child(local, script)
    kid.tend()
    until(lambda: kid.log.read_text() == "deaf\n", "the child to be deaf")
    kid.ask_to_stop()
    assert not kid.has_stopped()
    kid.kill()
    assert kid.has_stopped()


def test_the_child_holds_the_lock_on_the_file_with_its_process_id(local: StackPaths) -> None:
    kid = child(local, "import time; time.sleep(600)")
    kid.tend()
    file = local.pids / "kid.pid"
    assert (is_held(file), read_note(file)) == (True, str(kid.pid))
    with pytest.raises(ServiceMissing, match=f"^kid runs already as process {kid.pid}: stop it first.$"):
        child(local, "").tend()
    kid.kill()
    assert not file.exists()


def test_a_command_that_does_not_exist_is_one_sentence(local: StackPaths) -> None:
    kid = Child(ChildSpec("kid", (str(Path("/no/such/command")),)), local)
    kid.wanted = True
    with pytest.raises(ServiceMissing, match=r"^/no/such/command cannot be started for kid: No such file"):
        kid.tend()


def test_the_logs_of_a_child_that_speaks_without_end_stay_below_their_bound(
    local: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 100_000
    monkeypatch.setattr(stack_paths, "MAX_LOG_BYTES", bound)
    # By the descriptor itself, as native libraries and faulthandler write; one more only after the last was cut.
    script = (
        "import os, sys, time\n"
        "log = sys.argv[1]\n"
        "for _ in range(20):\n"
        "    os.write(2, b'x' * 999 + b'\\n')\n"
        "    while os.path.getsize(log) > 100_000: time.sleep(0.01)\n"
        "    os.write(2, (b'y' * 999 + b'\\n') * 100)\n"
        "os.write(2, b'error: the end\\n')\n"
        "raise SystemExit(3)\n"
    )
    kid = Child(ChildSpec("kid", (sys.executable, "-c", script, str(local.logs / "kid.log"))), local)
    kid.wanted = True
    sizes: list[int] = []

    def ended() -> Ended | None:
        end = kid.tend()
        sizes.extend(file.stat().st_size for file in local.logs.iterdir())
        return end

    assert until(ended, "the child to end").fault == "the end"
    assert {file.name for file in local.logs.iterdir()} == {"kid.log", "kid.log.1"}
    assert max(sizes) < 2 * bound + 2000, "twenty times more was written"


def test_what_children_say_is_shown_in_whole_lines(local: StackPaths) -> None:
    shown = io.BytesIO()
    script = "import time; print('first', flush=True); print('half', end='', flush=True); time.sleep(600)"
    kid = Child(ChildSpec("kid", (sys.executable, "-c", script)), local, shown)
    kid.wanted = True
    (local.logs / "kid.log").write_text("of an earlier life\n")
    kid.tend()
    until(lambda: kid.log.read_text().endswith("half"), "the child to speak")
    kid.tend()
    assert shown.getvalue() == b"first\n"
    kid.kill()
    assert shown.getvalue() == b"first\nhalf\n"


FAILS = f"print('error: The device hangs.'); raise SystemExit({DEVICE_FAILED})"


def test_a_child_whose_device_fails_again_and_again_stays_down_and_says_why(local: StackPaths) -> None:
    kid = child(local, FAILS)
    first, second, third = (next_end(kid) for _ in range(3))
    assert (first.fault, second.fault) == (None, None)
    assert str(third) == (
        "kid stays down, because its device has failed 3 times: The device hangs. "
        "Start it again when the device is mended."
    )
    assert math.isinf(third.retry_seconds)
    kid.wanted = True
    assert kid.tend() is None
    assert kid.pid is None


def test_a_device_that_fails_counts_although_its_worker_was_ready_each_time(local: StackPaths) -> None:
    kid = child(local, FAILS)
    for _ in range(3):
        pid = until(lambda: kid.tend() or kid.pid, "the start")
        end = next_end(kid)
        assert isinstance(pid, int)
        kid.settled(announced=pid)
    assert math.isinf(end.retry_seconds)


def test_a_device_that_worked_for_long_may_fail_again(local: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.supervisor.child.SOUND_SECONDS", 0.0)
    kid = child(local, FAILS)
    for _ in range(4):
        until(lambda: kid.tend() or kid.pid, "the start")
        end = next_end(kid)
        kid.settled(announced=kid._last_pid)
    assert end.retry_seconds == 0.5
