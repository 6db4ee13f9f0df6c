"""Connections over TCP carry the options by which a silent host is noticed; a Unix socket has no use for them."""

import socket
import sys
from pathlib import Path

import pytest

from settings import load_settings
from tasks.app import make_app
from tasks.broker import keepalive_options, redis_client
from tests.own_settings import own_settings

TCP = '[broker]\nurl = "redis://127.0.0.1:1/0"'


def test_a_client_over_tcp_sets_them_and_one_on_a_unix_socket_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_tcp = redis_client(own_settings(tmp_path, monkeypatch, TCP))
    assert over_tcp.connection_pool.connection_kwargs["socket_keepalive_options"] == keepalive_options()
    embedded = redis_client(own_settings(tmp_path, monkeypatch))
    assert "socket_keepalive_options" not in embedded.connection_pool.connection_kwargs
    load_settings.cache_clear()


def test_the_broker_gets_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = make_app(own_settings(tmp_path, monkeypatch, TCP)).conf.broker_transport_options
    assert options["socket_keepalive_options"] == keepalive_options()
    load_settings.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have fewer of these options")
def test_a_real_socket_takes_every_one_of_them() -> None:
    with socket.socket() as client:
        for option, value in keepalive_options().items():
            client.setsockopt(socket.IPPROTO_TCP, option, value)
            assert client.getsockopt(socket.IPPROTO_TCP, option) == value
