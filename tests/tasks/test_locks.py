"""Locks on files, also of other processes, and files that go away while somebody waits."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.locks import is_held, is_used, note_in, take


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock file in a folder that is not there yet."""
    return tmp_path / "run" / "some.lock"


def test_an_exclusive_lock_keeps_everybody_out(path: Path) -> None:
    lock = take(path)
    assert lock
    with lock:
        assert take(path) is None
        assert take(path, shared=True) is None
        assert (is_held(path), is_used(path)) == (True, True)
    assert (is_held(path), is_used(path)) == (False, False)


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(path: Path) -> None:
    first, second = take(path, shared=True), take(path, shared=True)
    assert first
    assert second
    assert take(path) is None
    assert (is_held(path), is_used(path)) == (False, True)
    first.release()
    assert take(path) is None
    second.release()
    assert take(path)


def test_to_look_makes_no_file(path: Path) -> None:
    assert (is_held(path), is_used(path), note_in(path)) == (False, False, "")
    assert not path.exists()


def test_the_holder_may_leave_a_note(path: Path) -> None:
    lock = take(path)
    assert lock
    lock.write("1234567")
    lock.write("89")
    assert note_in(path) == "89"
    lock.release()


def test_a_lock_dies_with_its_process(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tasks.locks import take\n"
        "lock = take(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        assert is_held(path)
        holder.kill()
    assert take(path)


def test_who_waited_for_a_removed_file_gets_a_lock_that_others_can_see(path: Path) -> None:
    lock = take(path)
    assert lock
    timer = threading.Timer(0.1, lock.remove)
    timer.start()
    second = take(path, wait=60)
    assert second
    with second:
        assert path.exists()
        assert is_held(path)
