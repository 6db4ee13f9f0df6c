"""The life of a local stack: a real supervisor process, a real Redis, tiny workers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from settings import load_settings
from settings.errors import ServiceMissing
from tasks.locks import acquire
from tasks.queues import EMBED, POINTS, UNACKED
from tasks.registry import FAULTS, STOP_NOW, faults
from tasks.stack_paths import StackPaths, stack_paths
from tests.own_settings import own_settings
from tests.until import files_below, is_alive, until
from tests.workers.supervisor.tiny_stack import tiny, tiny_stack
from workers.supervisor.stack import LocalStack, StackSpec
from workers.supervisor.supervisor import GRACE_SECONDS


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


def test_gpu_workers_start_when_work_waits_for_them(local: StackPaths) -> None:
    users = acquire(local.users_lock, shared=True)
    assert users
    with users, tiny_stack(local, "while-used") as stack:
        stack.wait_ready("storage")
        assert stack.pid_of("gpu0") is None
        stack.redis.lpush(EMBED, b"message")
        stack.wait_ready("gpu0")
        stack.redis.delete(EMBED)


def test_two_users_share_one_stack_and_it_ends_after_the_second(local: StackPaths) -> None:
    first, second = acquire(local.users_lock, shared=True), acquire(local.users_lock, shared=True)
    assert first
    assert second
    with tiny_stack(local, "while-used") as stack:
        before = stack.wait_ready("storage")
        first.release()
        # A whole round of the supervisor later it must still be there: the restart of a child is such a round.
        os.kill(before, signal.SIGKILL)
        stack.wait_ready("storage", but_not=before)
        assert stack.process.poll() is None
        second.release()
        assert stack.process.wait(timeout=60) == 0
    assert files_below(local.runtime) == []


def test_a_stack_without_users_finishes_its_work_first(local: StackPaths) -> None:
    users = acquire(local.users_lock, shared=True)
    assert users
    with tiny_stack(local, "while-used") as stack:
        before = stack.wait_ready("storage")
        stack.redis.hset(UNACKED, "tag", b"message")
        users.release()
        os.kill(before, signal.SIGKILL)
        stack.wait_ready("storage", but_not=before)
        assert stack.process.poll() is None
        stack.redis.delete(UNACKED)
        assert stack.process.wait(timeout=60) == 0


def test_a_user_who_wants_to_leave_now_leaves_the_work_for_the_next_time(local: StackPaths) -> None:
    users = acquire(local.users_lock, shared=True)
    assert users
    with tiny_stack(local, "while-used") as stack:
        stack.wait_ready("storage")
        stack.redis.lpush(POINTS, b"message")
        stack.redis.set(STOP_NOW, 1)
        users.release()
        assert stack.process.wait(timeout=60) == 0
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        assert stack.redis.lrange(POINTS, 0, -1) == [b"message"]
        assert not stack.redis.exists(STOP_NOW)


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
            LocalStack(
                load_settings(), elsewhere, StackSpec(None, tiny("storage", elsewhere), []), while_used=False
            ).run()
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
    (local.redis_data / "appendonly.aof").mkdir()
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
    with tiny_stack(local) as stack:
        stack.wait_ready("storage")
        gpu = stack.wait_ready("gpu0")
        children = stack.pids()
        # Stopped, it does not hear SIGTERM, so the stack would wait for it for the whole grace time.
        os.kill(gpu, signal.SIGSTOP)
        stack.process.send_signal(signal.SIGINT)
        until(lambda: not stack.ready(), "the stack to be on its way out")
        begin = time.monotonic()
        stack.process.send_signal(signal.SIGINT)
        stack.process.wait(timeout=60)
        assert time.monotonic() - begin < GRACE_SECONDS
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
