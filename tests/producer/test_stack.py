"""The stack as the producer uses it: real supervisor, real Redis, real storage worker."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from producer.stack import MOST_KILLED, Stack, attached
from producer.waiting import raise_faults
from settings import Settings, load_settings
from settings.errors import ServiceMissing, WrongUse
from tasks.broker import redis_client
from tasks.queues import QUERIES, UNACKED
from tasks.registry import STOP_NOW
from tasks.stack.locks import is_held, read_note
from tasks.stack.paths import StackPaths, stack_paths
from tasks.stack.record import end_stack, read_record
from tests.conftest import ROOT
from tests.own_settings import hinder_redis, own_settings
from tests.rights import NOBODY
from tests.until import files_below, is_alive, until

Configured = Callable[[str], Settings]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configured]:
    """Makes settings with an empty data directory of the test's own."""

    def configure(text: str) -> Settings:
        return own_settings(tmp_path, monkeypatch, text)

    yield configure
    load_settings.cache_clear()


@pytest.fixture
def settings(configured: Configured) -> Settings:
    """The defaults: everything embedded."""
    return configured("")


def supervisor(stack: Stack) -> int:
    return int(read_note(stack.local.stack_lock))


def left_behind(local: StackPaths) -> list[Path]:
    """What a stack has left that has ended, or is about to."""

    def found() -> list[Path]:
        locks = [file for file in (local.stack_lock, local.users_lock, local.work_lock, local.record) if file.exists()]
        return [*files_below(local.runtime), *files_below(local.pids), *locks]

    until(lambda: not is_held(local.stack_lock), "the stack to go down")
    # It removes its lock first, and the rest in the next moment.
    until(lambda: not found(), "the rest to be removed")
    return found()


def start_storage(stack: Stack, settings: Settings) -> None:
    """Let something wait for the storage worker, and wait until that is ready."""
    redis_client(settings).lpush(QUERIES, "no question")
    until(lambda: stack.has_worker("storage", but=()), "the storage worker to be ready")


def pids(stack: Stack) -> list[int]:
    return [int(read_note(file)) for file in stack.local.pids.glob("*.pid")]


@pytest.mark.e2e
def test_the_stack_is_up_inside_and_gone_afterwards(settings: Settings) -> None:
    with attached(settings) as stack:
        assert redis_client(settings).ping()
        assert stack.is_local
        assert stack.faults() == {}
        # Redis alone, until a question waits for the storage worker.
        assert len(pids(stack)) == 1
        start_storage(stack, settings)
        processes = [supervisor(stack), *pids(stack)]
        assert len(processes) == 3
    until(lambda: not [pid for pid in processes if is_alive(pid)], "all its processes to end")
    assert left_behind(stack.local) == []


def kill_the_first(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """Kill so many of the supervisors that this command starts, each at once."""
    spawn = Stack._spawn
    left = many

    def spawn_and_kill(stack: Stack) -> None:
        nonlocal left
        spawn(stack)
        assert stack._process is not None
        if left:
            left -= 1
            stack._process.kill()

    monkeypatch.setattr(Stack, "_spawn", spawn_and_kill)


@pytest.mark.e2e
def test_a_supervisor_that_is_killed_while_it_comes_up_is_started_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_the_first(monkeypatch, MOST_KILLED)
    with attached(settings) as stack:
        assert stack._process is not None
        assert supervisor(stack) == stack._process.pid
        assert redis_client(settings).ping()


def test_a_supervisor_that_is_killed_again_and_again_ends_in_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_the_first(monkeypatch, MOST_KILLED + 1)
    with pytest.raises(ServiceMissing, match="The local stack has ended"), attached(settings):
        pass


@pytest.mark.e2e
def test_two_users_share_one_stack_and_it_stays_until_the_second_leaves(settings: Settings) -> None:
    with ExitStack() as first, ExitStack() as second:
        stack = first.enter_context(attached(settings))
        other = second.enter_context(attached(settings))
        pid = supervisor(stack)
        first.close()
        assert supervisor(other) == pid
        assert redis_client(settings).ping()
        second.close()
    until(lambda: not files_below(stack.local.runtime), "the stack to be gone")
    until(lambda: not is_alive(pid), "the supervisor to end")


@pytest.mark.e2e
def test_users_who_come_at_the_same_moment_get_one_stack(settings: Settings) -> None:
    found: list[int] = []
    all_in = threading.Barrier(3)

    def use() -> None:
        with attached(settings) as stack:
            found.append(supervisor(stack))
            all_in.wait(timeout=120)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    until(lambda: not files_below(stack_paths(settings).runtime), "the stack to be gone")


def stays_held(lock: Path) -> bool:
    """True once the stack keeps the users' lock: before, it takes it for an instant to see whether work is left."""
    for _ in range(10):
        if not is_held(lock):
            return False
        time.sleep(0.02)
    return True


@pytest.mark.e2e
def test_who_comes_while_the_stack_goes_gets_a_new_one(settings: Settings) -> None:
    with ExitStack() as last:
        stack = last.enter_context(attached(settings))
        before = supervisor(stack)
        start_storage(stack, settings)
        # It hears nothing, so the stack takes a while to go.
        os.kill(int(read_note(stack.local.pids / "storage.pid")), signal.SIGSTOP)
        leaving = threading.Thread(target=last.close)
        leaving.start()
        until(
            lambda: stays_held(stack.local.users_lock) or not is_alive(before), "the stack to be on its way out or gone"
        )
        with attached(settings) as stack:
            assert supervisor(stack) != before
            assert redis_client(settings).ping()
        leaving.join()


@pytest.mark.e2e
@pytest.mark.chaos
def test_a_killed_stack_is_a_fault_and_the_next_user_gets_a_new_one(settings: Settings) -> None:
    with attached(settings) as stack:
        os.kill(supervisor(stack), signal.SIGKILL)
        found = until(stack.faults, "the fault")
        assert found == dict.fromkeys(("storage", "gpu"), f"The local stack has ended: see {stack.log}.")
    with attached(settings) as stack:
        assert stack.faults() == {}
    assert left_behind(stack.local) == []


@pytest.mark.e2e
@pytest.mark.chaos
def test_a_killed_stack_is_started_again_by_who_still_uses_it_and_keeps_what_was_queued(settings: Settings) -> None:
    with attached(settings) as stack:
        assert not stack.has_ended()
        redis_client(settings).set("kept", "yes")
        os.kill(supervisor(stack), signal.SIGKILL)
        until(stack.has_ended, "the end of the stack")
        stack.restart()
        assert redis_client(settings).get("kept") == b"yes"
        assert not stack.has_ended()
        assert stack.faults() == {}
    assert left_behind(stack.local) == []


@pytest.mark.e2e
def test_work_that_nobody_takes_does_not_hold_back_who_leaves_now(settings: Settings) -> None:
    with attached(settings) as stack:
        redis_client(settings).hset(UNACKED, "tag", "message")
        stack.leave_now()
    assert left_behind(stack.local) == []


@pytest.mark.e2e
def test_qdrant_down_at_the_start_is_the_sentence_of_the_storage_worker(configured: Configured) -> None:
    settings = configured('[qdrant]\nurl = "http://127.0.0.1:9"')
    with attached(settings) as stack:
        redis_client(settings).lpush(QUERIES, "no question")
        until(stack.faults, "the storage worker to say so")
        with pytest.raises(ServiceMissing, match=r"http://127\.0\.0\.1:9\b"):
            raise_faults(stack, "storage")
    assert left_behind(stack_paths(settings)) == []


def test_a_redis_that_cannot_start_is_the_sentence_of_the_stack(settings: Settings) -> None:
    local = stack_paths(settings)
    hinder_redis(local.redis_data)
    with pytest.raises(ServiceMissing, match=r"^Redis does not start: .*redis\.log\)\.$"), attached(settings):
        pass
    assert left_behind(local) == []


def test_a_data_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "data").write_text("a file in its place")
    with pytest.raises(ServiceMissing, match=r"^The data directory .* cannot be written"), attached(settings):
        pass


def test_a_broker_at_a_closed_port_is_one_sentence_without_its_password(configured: Configured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = configured(f'[broker]\nurl = "redis://me:secret@127.0.0.1:{port}/0"')
    expected = rf"^Redis at redis://me:\*\*\*@127\.0\.0\.1:{port}/0 does not answer: start it or set broker\.url\.$"
    with pytest.raises(ServiceMissing, match=expected), attached(settings):
        pass


@pytest.mark.e2e
def test_a_stack_of_another_collection_is_refused_by_name_and_left_alone(settings: Settings) -> None:
    with attached(settings) as stack:
        env = {**os.environ, "DARKROOM__QDRANT__COLLECTION": "cats"}
        asked = subprocess.run(
            [sys.executable, "-m", "producer", "status"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        assert asked.returncode == 2
        assert asked.stderr == (
            f"error: The stack that runs on {stack.local.data} (process {supervisor(stack)}) keeps the collection "
            "'pictures', not 'cats': set qdrant.collection to that name, or stop it first by `python -m workers "
            "down`.\n"
        )
        assert stack.faults() == {}


LINGERING = "[stack]\nlinger_seconds = 3600\n"


@pytest.fixture
def lingering(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings with which a stack waits for its next user; it is taken down after the test."""
    monkeypatch.delenv("DARKROOM__STACK__LINGER_SECONDS")
    settings = configured(LINGERING)
    yield settings
    local = stack_paths(settings)
    if record := read_record(local):
        end_stack(local, record)


@pytest.mark.e2e
def test_a_stack_waits_for_the_next_command_and_the_first_one_says_so(lingering: Settings) -> None:
    said: list[str] = []
    with attached(lingering, said.append) as stack:
        start_storage(stack, lingering)
        before = sorted([supervisor(stack), *pids(stack)])
    assert said == [
        "The stack stays up for 60 minutes, so that the next command is quick (stop it: python -m workers "
        f"--settings {os.environ['DARKROOM_SETTINGS']} down)."
    ]
    with attached(lingering, said.append) as stack:
        assert sorted([supervisor(stack), *pids(stack)]) == before
    assert len(said) == 1


@pytest.mark.e2e
def test_a_stack_that_only_waits_makes_way_for_a_command_with_other_settings(
    lingering: Settings, configured: Configured
) -> None:
    with attached(lingering) as stack:
        before = supervisor(stack)
    others = configured(LINGERING + '[qdrant]\ncollection = "cats"\n')
    with attached(others) as stack:
        record = read_record(stack.local)
        assert record
        assert (record.collection, record.pid == before) == ("cats", False)


@pytest.mark.e2e
def test_what_is_refused_leaves_no_stack_that_it_has_started(lingering: Settings) -> None:
    with pytest.raises(WrongUse, match="no such thing"), attached(lingering) as stack:
        raise WrongUse("no such thing")
    assert left_behind(stack.local) == []


@pytest.mark.e2e
def test_a_removed_runtime_folder_leaves_one_stack_and_loses_nothing(settings: Settings) -> None:
    with attached(settings) as stack:
        redis_client(settings).set("kept", "yes")
        before = supervisor(stack)
        shutil.rmtree(stack.local.runtime)
        until(stack.has_ended, "the stack that nobody can reach to end")
        stack.restart()
        assert redis_client(settings).get("kept") == b"yes"
        assert supervisor(stack) != before
    assert left_behind(stack.local) == []


@pytest.mark.e2e
@pytest.mark.chaos
def test_a_stack_that_was_suspended_is_the_same_one_afterwards(settings: Settings) -> None:
    with attached(settings) as stack:
        start_storage(stack, settings)
        redis_client(settings).set("kept", "yes")
        processes = [supervisor(stack), *pids(stack)]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        # Whoever comes while it sleeps starts no second one.
        assert not stack.has_ended()
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        assert redis_client(settings).get("kept") == b"yes"
        assert [supervisor(stack), *pids(stack)] == processes


@pytest.mark.e2e
def test_another_user_who_may_write_there_is_told_whose_stack_it_is(settings: Settings) -> None:
    local = stack_paths(settings)
    with attached(settings):
        record = json.loads(local.record.read_text())
        local.record.write_text(json.dumps({**record, "user": NOBODY}))
        expected = rf"^The stack of {local.data} belongs to the user \S+ \(process {record['pid']}\): run this as"
        with pytest.raises(ServiceMissing, match=expected):
            read_record(local)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_told_to_whom_the_data_directory_belongs() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        said, tell = os.pipe()
        if (child := os.fork()) == 0:
            os.setuid(NOBODY)
            try:
                StackPaths(data, data).create()
            except ServiceMissing as error:
                os.write(tell, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(said, 1000).decode() == (
            f"The data directory {data} belongs to the user root: run this as root, or set data.dir to a folder of "
            "your own."
        )
        os.close(said)
        os.close(tell)


@pytest.mark.e2e
def test_another_machine_is_told_where_the_stack_runs(settings: Settings) -> None:
    local = stack_paths(settings)
    with attached(settings):
        record = json.loads(local.record.read_text())
        elsewhere = {"host": "desk", "socket": "/nowhere/redis.sock"}
        local.record.write_text(json.dumps({**record, **elsewhere}))
        with pytest.raises(ServiceMissing, match=rf"^The stack of {local.data} runs on the machine desk \(process "):
            read_record(local)


@pytest.mark.usefixtures("client")  # whose Redis is emptied
def test_on_a_cluster_nothing_is_started(configured: Configured, redis_process: str, tmp_path: Path) -> None:
    settings = configured(f'[broker]\nurl = "{redis_process}"\n[qdrant]\nurl = "http://127.0.0.1:9"')
    with attached(settings) as stack:
        assert not stack.is_local
        assert stack.faults() == {}
        stack.leave_now()
    assert not (tmp_path / "data").exists()
    assert not redis.Redis.from_url(redis_process).exists(STOP_NOW)


@pytest.mark.usefixtures("client")  # whose Redis is emptied
def test_a_redis_that_is_named_is_used_and_nothing_is_started_beside_it(
    configured: Configured, redis_process: str, tmp_path: Path
) -> None:
    settings = configured(f'[broker]\nurl = "{redis_process}"')
    with attached(settings) as stack:
        assert not stack.is_local
        assert not stack.has_ended()
    assert not (tmp_path / "data").exists()


def test_a_machine_for_the_producer_alone_is_told_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "")
    expected = r"packages that are not installed \(workers, .*\): run `pip install '\.\[gpu,storage\]'` in"
    with pytest.raises(ServiceMissing, match=expected), attached(settings):
        pass
