"""The commands of the machines as a person runs them: one clear sentence and an exit code for everything wrong."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from settings import Settings, load_settings
from tasks.broker import redis_client
from tasks.registry import ready
from tasks.stack.locks import is_used
from tasks.stack.paths import stack_paths
from tests.e2e.in_process import NULL
from tests.own_settings import own_settings
from tests.until import files_below, until


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The defaults, on an empty data directory."""
    yield own_settings(tmp_path, monkeypatch)
    load_settings.cache_clear()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def workers(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "workers", *arguments], capture_output=True, text=True, timeout=120)


def sentence(run: subprocess.CompletedProcess[str], code: int) -> str:
    assert run.returncode == code, run.stderr
    assert run.stdout == ""
    lines = run.stderr.splitlines()
    assert "Traceback" not in run.stderr
    assert lines[-1].startswith("error: ")
    return lines[-1].removeprefix("error: ")


def test_help_lists_the_commands_for_people() -> None:
    shown = workers("--help")
    assert shown.returncode == 0
    for command in ("up", "gpu", "storage", "flower", "check"):
        assert f"\n  {command} " in shown.stdout
    assert "serve" not in shown.stdout


def test_the_supervisor_loads_neither_torch_nor_qdrant() -> None:
    script = (
        "import sys, workers.cli, workers.supervisor.commands, workers.supervisor.fleet\n"
        "print([m for m in ('torch', 'transformers', 'qdrant_client', 'qdrant_edge') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.e2e
def test_up_keeps_the_stack_up_with_flower_and_the_gallery_and_ctrl_c_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in NULL.items():
        monkeypatch.setenv(name, value)
    local, port, gallery = stack_paths(settings), free_port(), free_port()
    monkeypatch.setenv("DARKROOM__WEB__UP", "true")
    monkeypatch.setenv("DARKROOM__WEB__PORT", str(gallery))
    up = subprocess.Popen(
        [sys.executable, "-m", "workers", "up", "--port", str(port)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert up.stderr
        assert up.stderr.readline() == (
            f"Starting the stack on {local.data}, Flower on http://127.0.0.1:{port}, "
            f"the gallery on http://127.0.0.1:{gallery}/ (Ctrl-C stops it).\n"
        )
        assert up.stderr.readline() == f"The stack is up on {local.data}.\n"
        client = redis_client(settings)
        until(lambda: {"storage", "gpu0"} <= ready(client).keys(), "both workers to be ready")

        def page(address: str = f"{port}/workers?json=1") -> bytes:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{address}", timeout=5) as answer:
                    return bytes(answer.read())
            except OSError:
                return b""

        until(lambda: b"storage@" in page() and b"gpu0@" in page(), "Flower to show both workers")
        until(lambda: b"ready" in page(f"{gallery}/readyz"), "the gallery to answer")
        # It is a part of the stack: `down` need not wait for it as for a command.
        until(lambda: not is_used(local.users_lock), "the gallery to let go of the stack")
        client.close()
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=60) == 0
        assert up.stderr.read() == ""
    finally:
        up.kill()
        up.communicate()
    assert files_below(local.runtime) == []


def test_the_settings_file_of_the_option_is_read(tmp_path: Path, settings: Settings) -> None:
    wrong = tmp_path / "mine.toml"
    wrong.write_text("[broker]\nurl = 5")
    assert str(wrong) in sentence(workers("--settings", str(wrong), "up"), 2)
    assert "nowhere.toml does not exist" in sentence(workers("--settings", str(tmp_path / "nowhere.toml"), "up"), 2)


def test_a_data_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "data").write_text("a file in its place")
    for command in (["up", "--port", str(free_port())], ["serve"]):
        found = sentence(workers(*command), 3)
        assert found.startswith(f"The data directory {tmp_path / 'data'} cannot be written")


@pytest.mark.e2e
def test_where_the_port_of_the_page_is_taken_the_stack_comes_up_without_it(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        found = sentence(workers("flower", "--port", port), 3)
        assert found.startswith(
            f"Flower cannot listen on 127.0.0.1, port {port} (address already in use): free the port"
        )
        up = subprocess.Popen(
            [sys.executable, "-m", "workers", "up", "--port", port],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "DARKROOM__WEB__UP": "true", "DARKROOM__WEB__PORT": port},
        )
        try:
            assert up.stderr
            assert up.stderr.readline() == f"{found} The stack comes up without Flower.\n"
            assert up.stderr.readline() == (
                f"The gallery cannot listen on 127.0.0.1, port {port} (address already in use): free the port, choose "
                "another one by web.port, or set web.up = false. The stack comes up without the gallery.\n"
            )
            local = stack_paths(settings)
            assert up.stderr.readline() == f"Starting the stack on {local.data} (Ctrl-C stops it).\n"
            assert up.stderr.readline() == f"The stack is up on {local.data}.\n"
            up.send_signal(signal.SIGINT)
            assert up.wait(timeout=60) == 0
        finally:
            up.kill()
            up.communicate()


@pytest.mark.parametrize("command", ["up", "serve", "storage", "gpu", "flower"])
def test_a_broker_that_is_down_is_one_sentence_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    port = free_port()
    own_settings(tmp_path, monkeypatch, f'[broker]\nurl = "redis://me:secret@127.0.0.1:{port}/0"')
    monkeypatch.setenv("DARKROOM__FLOWER__PORT", str(free_port()))
    run = workers(command)
    expected = f"Redis at redis://me:***@127.0.0.1:{port}/0 does not answer: start it or set broker.url."
    assert sentence(run, 3) == expected
    assert "secret" not in run.stderr


def test_flower_open_to_others_without_a_password_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM__FLOWER__ADDRESS", "0.0.0.0")
    assert "set flower.basic_auth" in sentence(workers("up"), 2)


def test_a_device_that_is_not_there_is_one_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM__GPU__DEVICES", "97")
    assert "gpu.devices asks for 97" in sentence(workers("up", "--port", str(free_port())), 3)


def test_devices_that_are_none_are_wrong_use() -> None:
    run = workers("gpu", "--devices", "two")
    assert run.returncode == 2
    assert 'use "auto", "all", "cpu" or the numbers' in run.stderr


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="here the device may be there")
def test_a_worker_without_its_device_ends_before_it_takes_a_message(
    monkeypatch: pytest.MonkeyPatch, client: redis.Redis, redis_process: str
) -> None:
    load_settings.cache_clear()
    client.lpush("files", "a message")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    found = sentence(workers("gpu", "--one", "gpu0"), 3)
    assert re.match(r'torch \S+ cannot use the device 0 \(.+\): install .* or set gpu.devices to "cpu".$', found)
    assert client.lrange("files", 0, -1) == [b"a message"]


@pytest.mark.e2e
def test_workers_of_a_cluster_are_supervised_without_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_process: str
) -> None:
    settings = own_settings(tmp_path, monkeypatch, f'[broker]\nurl = "{redis_process}"')
    client = redis_client(settings)
    client.flushall()
    fleet = subprocess.Popen([sys.executable, "-m", "workers", "storage"], stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: f"storage@{socket.gethostname()}" in ready(client), "the storage worker to be ready")
    finally:
        fleet.terminate()
        _, said = fleet.communicate(timeout=60)
    assert fleet.returncode == 0
    started, *lines = said.splitlines()
    assert started == f"Starting storage; logs are in {tmp_path / 'data' / 'logs'}."
    assert lines == (tmp_path / "data" / "logs" / "storage.log").read_text().splitlines()
    assert ready(client) == {}
