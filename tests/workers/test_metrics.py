"""Figures for Prometheus: off unless asked for, each worker on a port of its own."""

import socket
from pathlib import Path

import pytest

from settings import Settings, load_settings
from settings.errors import ServiceMissing
from tests.own_settings import own_settings
from workers import metrics


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = own_settings(tmp_path, monkeypatch, "[metrics]\nport = 9100")
    load_settings.cache_clear()
    return found


def test_each_worker_has_a_port_of_its_own(settings: Settings) -> None:
    names = ("storage", "gpu0", "gpu1", "gpu12", "ingest", "gpu1-1", "gpu1-2", "gpu2-3")
    ports = [9100, 9101, 9102, 9113, None, 9102, 9202, 9303]
    assert [metrics.port_of(settings, name) for name in names] == ports


def test_without_a_port_nothing_is_served_and_counting_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = own_settings(tmp_path, monkeypatch)
    load_settings.cache_clear()
    assert metrics.port_of(settings, "storage") is None
    metrics.serve(settings, "storage")
    metrics.files_ended("stored", 3)
    metrics.retried("store")
    assert metrics._metrics is None


def test_a_port_in_use_is_one_sentence(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"port": port})})
        with pytest.raises(
            ServiceMissing, match=rf"^The figures of storage cannot be served on 127.0.0.1, port {port} \("
        ):
            metrics.serve(taken, "storage")
