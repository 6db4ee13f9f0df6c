"""Flower's command: never open to others without a password, the password never among the arguments."""

import socket
from pathlib import Path

import pytest

from settings import Settings
from settings.errors import ServiceMissing, WrongUse
from tasks.stack.paths import StackPaths, stack_paths
from tests.own_settings import own_settings
from workers.supervisor.flower import flower_spec, options, run


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_on_this_machine_alone_its_pages_need_no_password_and_its_interface_stays_closed(
    settings: Settings, local: StackPaths
) -> None:
    told = options(settings, local, free_port())
    assert "--address=127.0.0.1" in told
    assert "basic_auth" not in " ".join(told)


def test_it_keeps_its_tasks_over_a_restart_only_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = own_settings(tmp_path, monkeypatch)
    assert "--persistent" not in " ".join(options(settings, stack_paths(settings), free_port()))
    settings = own_settings(tmp_path, monkeypatch, "[flower]\npersistent = true")
    told = options(settings, stack_paths(settings), free_port())
    assert "--persistent=True" in told
    assert f"--db={tmp_path / 'data' / 'flower.db'}" in told


def test_open_to_others_it_is_refused_without_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = own_settings(tmp_path, monkeypatch, '[flower]\naddress = "0.0.0.0"')
    for start in (
        lambda: flower_spec(settings, free_port()),
        lambda: run(settings, stack_paths(settings), free_port()),
    ):
        with pytest.raises(
            WrongUse, match=r"^flower.address 0.0.0.0 is open to other machines: set flower.basic_auth "
        ):
            start()


def test_the_password_is_neither_among_the_arguments_nor_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = own_settings(tmp_path, monkeypatch, '[flower]\naddress = "0.0.0.0"\nbasic_auth = "me:secret"')
    spec = flower_spec(settings, free_port())
    assert "secret" not in f"{spec.argv} {spec.env}"
    assert "--basic_auth=me:secret" in options(settings, stack_paths(settings), free_port())


def test_a_port_in_use_is_one_sentence(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ServiceMissing, match=rf"^Flower cannot listen on 127.0.0.1, port {port} \(address already"):
            flower_spec(settings, port)
