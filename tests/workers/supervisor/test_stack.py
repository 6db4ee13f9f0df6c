"""The life of a local stack: a real supervisor process, a real Redis, tiny workers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from settings import Settings, load_settings
from settings.errors import ServiceMissing
from tasks.envelope import Envelope
from tasks.queues import EMBED, FILES, LEFT, POINTS, PROCESS_FILES, UNACKED, UNACKED_INDEX
from tasks.registry import FAULTS, STOP_NOW, faults
from tasks.stack.locks import FileLock, acquire
from tasks.stack.paths import StackPaths, stack_paths
from tasks.stack.record import read_record, settings_key
from tests.own_settings import hinder_redis, own_settings
from tests.until import files_below, is_alive, until
from tests.workers.supervisor.tiny_stack import tiny, tiny_stack
from workers.supervisor.stack import LocalStack, StackSpec


def test_a_stack_that_is_stopped_leaves_no_process_no_socket_and_no_lock(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        stack.wait_ready("gpu0")
        children = stack.pids()
        assert len(children) == 3
        code, said = stack.end()
    assert code == 0, said
    assert not [pid for pid in children if is_alive(pid)]
    assert files_below(local.runtime) == []


def test_its_redis_evicts_nothing_writes_a_log_and_listens_on_no_port(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        config = {key: stack.redis.config_get(key)[key] for key in ("maxmemory-policy", "appendonly", "port", "save")}
        assert config == {"maxmemory-policy": "noeviction", "appendonly": "yes", "port": "0", "save": ""}
        assert local.socket.stat().st_mode & 0o777 == 0o700


@pytest.mark.chaos
@pytest.mark.parametrize("name", ["redis", "storage", "gpu0"])
def test_a_child_that_is_killed_is_named_and_started_again(local: StackPaths, name: str) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        stack.wait_ready("gpu0")
        before = stack.pid_of(name)
        assert before
        os.kill(before, signal.SIGKILL)
        until(lambda: stack.pid_of(name) not in (None, before), f"a new {name}")
        until(lambda: name == "redis" or stack.ready().get(name) == stack.pid_of(name), f"{name} to be ready again")
        _, said = stack.end()
    assert f"{name} was killed by SIGKILL. Starting it again in 0.5 s." in said


def test_a_dead_worker_does_not_count_as_ready(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        before = stack.wait_ready("storage")
        (local.data / "storage.fails").write_text("error: no disk")
        os.kill(before, signal.SIGKILL)
        until(lambda: "storage" not in stack.ready(), "the dead worker to be signed out")


def test_a_child_that_cannot_work_leaves_its_sentence_in_redis(local: StackPaths) -> None:
    (local.data / "gpu0.fails").write_text("some warning\nerror: There is no model called x: name another.\nbye")
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        found = until(lambda: faults(stack.redis), "the fault")
        assert found == {"gpu0": "There is no model called x: name another."}
        _, said = stack.end()
    assert "gpu0 ended with exit code 3: There is no model called x: name another. Starting it again in 30 s." in said


@pytest.fixture
def user(local: StackPaths) -> Iterator[FileLock]:
    """A command that uses the stack."""
    lock = acquire(local.users_lock, shared=True)
    assert lock
    with lock:
        yield lock


@pytest.mark.usefixtures("user")
def test_each_worker_starts_when_a_message_waits_for_it(local: StackPaths) -> None:
    with tiny_stack(local, "while-used") as stack:
        stack.wait_up()
        assert [stack.pid_of(name) for name in ("storage", "gpu0")] == [None, None]
        stack.ask_storage()
        assert stack.pid_of("gpu0") is None
        stack.redis.lpush(EMBED, b"message")
        stack.wait_ready("gpu0")
        stack.redis.delete(EMBED)


def files_of(job: str, *numbers: int) -> list[bytes]:
    """Messages as an ingest publishes them."""
    envelope = Envelope(PROCESS_FILES, FILES, parent=job)
    return [envelope.message({}, "name", [number]).encode() for number in numbers]


@pytest.mark.usefixtures("user")
def test_files_of_an_ingest_that_is_gone_are_kept_from_the_workers(local: StackPaths) -> None:
    with tiny_stack(local, "while-used") as stack:
        stack.ask_storage()
        messages = files_of("job", 0, 1, 2)
        stack.redis.lpush(FILES, *messages)
        until(lambda: stack.redis.llen(LEFT) == 3, "them to lie aside")
        assert stack.redis.lrange(LEFT, 0, -1) == messages[::-1]
        # Somebody who searches has a GPU worker started, and that one takes none of them.
        stack.redis.lpush(EMBED, b"message")
        stack.wait_ready("gpu0")
        assert (stack.redis.llen(FILES), stack.redis.llen(LEFT)) == (0, 3)
        stack.redis.delete(EMBED)


@pytest.mark.usefixtures("user")
def test_files_of_an_ingest_that_lives_are_worked_on(local: StackPaths) -> None:
    work = acquire(local.work_lock, shared=True)
    assert work
    with work, tiny_stack(local, "while-used") as stack:
        stack.wait_up()
        stack.redis.lpush(FILES, *files_of("job", 0))
        stack.wait_ready("gpu0")
        assert (stack.redis.llen(FILES), stack.redis.llen(LEFT)) == (1, 0)
        stack.redis.delete(FILES)


@pytest.mark.usefixtures("user")
def test_what_dead_workers_held_lies_aside_as_well_and_a_stack_that_stays_goes_on_with_all(local: StackPaths) -> None:
    (message,) = files_of("job", 7)
    with tiny_stack(local, "kept") as stack:
        stack.wait_ready("gpu0")
        stack.redis.hset(UNACKED, "tag", json.dumps([json.loads(message), "", FILES]))
        stack.redis.hset(UNACKED, "other", json.dumps([json.loads(message), "", POINTS]))
        stack.redis.zadd(UNACKED_INDEX, {"tag": 1, "other": 1})
    with tiny_stack(local, "while-used") as stack:
        stack.wait_up()
        until(lambda: stack.redis.llen(LEFT) == 1, "it to lie aside")
        (found,) = stack.redis.lrange(LEFT, 0, -1)
        # Its worker may have died of it.
        assert json.loads(found)["headers"]["redelivered"] is True
        assert stack.redis.hkeys(UNACKED) == [b"other"] == stack.redis.zrange(UNACKED_INDEX, 0, -1)
        stack.redis.delete(UNACKED, UNACKED_INDEX)
    with tiny_stack(local, "kept") as stack:
        stack.wait_up()
        until(lambda: stack.redis.lrange(FILES, 0, -1) == [found], "it to be back")


def test_two_users_share_one_stack_and_it_ends_after_the_second(local: StackPaths) -> None:
    first, second = acquire(local.users_lock, shared=True), acquire(local.users_lock, shared=True)
    assert first
    assert second
    with tiny_stack(local, "while-used") as stack:
        before = stack.ask_storage()
        first.release()
        # A whole round of the supervisor later it must still be there: the restart of a child is such a round.
        os.kill(before, signal.SIGKILL)
        stack.wait_ready("storage", but_not=before)
        assert stack.process.poll() is None
        second.release()
        assert stack.process.wait(timeout=60) == 0
    assert files_below(local.runtime) == []


def test_a_stack_without_users_finishes_its_work_first(local: StackPaths, user: FileLock) -> None:
    with tiny_stack(local, "while-used") as stack:
        before = stack.ask_storage()
        stack.redis.hset(UNACKED, "tag", b"message")
        user.release()
        os.kill(before, signal.SIGKILL)
        stack.wait_ready("storage", but_not=before)
        assert stack.process.poll() is None
        stack.redis.delete(UNACKED)
        assert stack.process.wait(timeout=60) == 0


def test_a_stack_waits_for_another_user_and_then_goes_by_itself(
    local: StackPaths, user: FileLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM__STACK__LINGER_SECONDS", "3600")
    with tiny_stack(local, "while-used") as stack:
        before = stack.ask_storage()
        user.release()
        # Two rounds of the supervisor later it is still there.
        os.kill(before, signal.SIGKILL)
        again = stack.wait_ready("storage", but_not=before)
        os.kill(again, signal.SIGKILL)
        stack.wait_ready("storage", but_not=again)
        assert stack.process.poll() is None
        stack.redis.set(STOP_NOW, 1)
        assert stack.process.wait(timeout=60) == 0


def test_a_user_who_wants_to_leave_now_leaves_the_work_for_the_next_time(local: StackPaths, user: FileLock) -> None:
    with tiny_stack(local, "while-used") as stack:
        stack.ask_storage()
        stack.redis.lpush(POINTS, b"message")
        stack.redis.set(STOP_NOW, 1)
        user.release()
        assert stack.process.wait(timeout=60) == 0
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        assert stack.redis.lrange(POINTS, 0, -1) == [b"message"]
        assert not stack.redis.exists(STOP_NOW)


def test_while_it_is_up_its_record_says_who_keeps_it_and_with_what(local: StackPaths, settings: Settings) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        record = read_record(local)
        assert record
        assert (record.pid, record.user, record.stays) == (stack.process.pid, os.getuid(), True)
        assert (record.collection, record.clip, record.settings) == (
            settings.qdrant.collection,
            settings.models.clip,
            settings_key(settings),
        )
        assert local.record.stat().st_mode & 0o777 == 0o600
        stack.process.kill()
        stack.process.wait()
        # What a killed one has left is not believed.
        assert local.record.exists()
        assert read_record(local) is None
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        found = read_record(local)
        assert found
        assert found.pid == stack.process.pid
    assert not local.record.exists()


@pytest.mark.chaos
def test_a_redis_that_outlives_its_killed_supervisor_is_ended_before_another_one_opens_its_file(
    local: StackPaths,
) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        first = stack.pid_of("redis")
        assert first
        # It hears nothing, like one on a system that does not tell it of the death, and its folder is gone as well.
        os.kill(first, signal.SIGSTOP)
        stack.process.kill()
        stack.process.wait()
        shutil.rmtree(local.runtime)
    # Once that is stopped it is asked to end, and killed when it does not.
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        assert not is_alive(first)
        assert stack.pid_of("redis") not in (None, first)


@pytest.mark.chaos
def test_the_children_of_a_killed_supervisor_end_and_a_new_stack_starts(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        stack.wait_ready("gpu0")
        children = stack.pids()
        stack.process.kill()
        stack.process.wait()
        if sys.platform == "linux":
            until(lambda: not [pid for pid in children if is_alive(pid)], "the children to end")
    with tiny_stack(local) as stack:
        assert stack.wait_ready("storage") not in children
        assert stack.end()[0] == 0


def test_a_second_stack_on_the_same_data_is_refused_in_one_sentence(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        run = subprocess.run([sys.executable, "-m", "workers", "serve"], capture_output=True, text=True)
    assert run.returncode == 3
    assert run.stderr.startswith(f"error: The data directory {local.data} is in use by another stack (process ")
    assert str(stack.process.pid) in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_stack_is_its_data_directory_whatever_the_environment(
    local: StackPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        for variable in ("XDG_RUNTIME_DIR", "TMPDIR"):
            (tmp_path / variable).mkdir()
            monkeypatch.setenv(variable, str(tmp_path / variable))
        tempfile.tempdir = None
        assert stack_paths(load_settings()) == local
        run = subprocess.run([sys.executable, "-m", "workers", "serve"], capture_output=True, text=True)
    assert run.returncode == 3
    assert run.stderr.startswith(f"error: The data directory {local.data} is in use by another stack (process ")


def test_a_stack_that_is_seen_from_another_temporary_folder_gets_no_second_redis(local: StackPaths) -> None:
    elsewhere = replace(local, runtime=local.runtime.with_name("as-in-a-container"))
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        with pytest.raises(ServiceMissing, match="is in use by another stack"):
            LocalStack(load_settings(), elsewhere, StackSpec(None, tiny("storage", elsewhere), []), stays=True).run()
    shutil.rmtree(elsewhere.runtime)


def test_the_data_directory_may_be_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 120) / ("e f'\"é" * 15)
    local = stack_paths(own_settings(tmp_path, monkeypatch, f"[data]\ndir = {json.dumps(str(deep))}"))
    assert len(str(local.data)) > 200
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        assert stack.end()[0] == 0
    assert files_below(local.redis_data)


def test_a_redis_that_cannot_start_ends_the_stack_with_its_reason(local: StackPaths) -> None:
    hinder_redis(local.redis_data)
    with tiny_stack(local) as stack:
        assert stack.process.wait(timeout=60) != 0
        _, said = stack.end()
    assert "ServiceMissing: Redis does not start: " in said
    assert str(local.logs / "redis.log") in said
    assert files_below(local.runtime) == []


def test_a_stack_that_nobody_can_find_any_more_ends(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        children = stack.pids()
        shutil.rmtree(local.runtime)
        assert stack.process.wait(timeout=60) != 0
        _, said = stack.end()
    assert f"The folder {local.runtime} or {local.stack_lock} was removed while the stack ran: start it again." in said
    assert not [pid for pid in children if is_alive(pid)]


def test_a_redis_that_loses_its_data_is_told_again_who_is_up(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        before = stack.wait_ready("storage")
        assert stack.process.stderr
        assert stack.process.stderr.readline() == f"The stack is up on {local.data}.\n"
        stack.redis.flushall()
        assert stack.wait_ready("storage") == before
        _, said = stack.end()
    assert said.count("Redis has lost its data; signing in again.") == 1


def test_a_second_signal_ends_it_at_once_and_leaves_nothing(local: StackPaths) -> None:
    with tiny_stack(local, "patient") as stack:
        stack.wait_ready("storage")
        gpu = stack.wait_ready("gpu0")
        children = stack.pids()
        # Stopped, it does not hear SIGTERM, so the stack would wait for it for the whole grace time, here an hour.
        os.kill(gpu, signal.SIGSTOP)
        stack.process.send_signal(signal.SIGINT)
        until(lambda: not stack.ready(), "the stack to be on its way out")
        stack.process.send_signal(signal.SIGINT)
        stack.process.wait(timeout=60)
    assert not [pid for pid in children if is_alive(pid)]
    assert files_below(local.runtime) == []


def test_what_a_former_stack_said_is_forgotten(local: StackPaths) -> None:
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        stack.redis.hset(FAULTS, "gpu7", "on fire")
        stack.process.kill()
        stack.process.wait()
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        assert faults(stack.redis) == {}
