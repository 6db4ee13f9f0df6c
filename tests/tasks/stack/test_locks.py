"""Locks on files, also of other processes, and files that go away while somebody waits."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.stack.locks import acquire, is_held, is_used, read_note


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock file in a folder that is not there yet."""
    return tmp_path / "run" / "some.lock"


def test_an_exclusive_lock_keeps_everybody_out(path: Path) -> None:
    lock = acquire(path)
    assert lock
    with lock:
        assert acquire(path) is None
        assert acquire(path, shared=True) is None
        assert (is_held(path), is_used(path)) == (True, True)
    assert (is_held(path), is_used(path)) == (False, False)


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(path: Path) -> None:
    first, second = acquire(path, shared=True), acquire(path, shared=True)
    assert first
    assert second
    assert acquire(path) is None
    assert (is_held(path), is_used(path)) == (False, True)
    first.release()
    assert acquire(path) is None
    second.release()
    assert acquire(path)


def test_to_look_makes_no_file(path: Path) -> None:
    assert (is_held(path), is_used(path), read_note(path)) == (False, False, "")
    assert not path.exists()


def test_the_holder_may_leave_a_note(path: Path) -> None:
    lock = acquire(path)
    assert lock
    lock.write("1234567")
    lock.write("89")
    assert read_note(path) == "89"
    lock.release()


def test_a_lock_dies_with_its_process(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tasks.stack.locks import acquire\n"
        "lock = acquire(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        assert is_held(path)
        holder.kill()
    assert acquire(path)


def test_who_waited_for_a_removed_file_gets_a_lock_that_others_can_see(path: Path) -> None:
    lock = acquire(path)
    assert lock
    timer = threading.Timer(0.1, lock.remove)
    timer.start()
    second = acquire(path, wait=60)
    assert second
    with second:
        assert path.exists()
        assert is_held(path)
