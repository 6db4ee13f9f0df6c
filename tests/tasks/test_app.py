"""The Celery app for every kind of broker address: always the project's own transport, never pickle."""

import ssl
import sys
import warnings
from pathlib import Path

import pytest
from celery import Celery
from celery.utils.imports import import_from_cwd

from settings import Settings, load_settings
from tasks.app import make_app
from tasks.transport import Transport


def settings_with(url: str) -> Settings:
    settings = load_settings()
    return settings.model_copy(update={"broker": settings.broker.model_copy(update={"url": url})})


def app_on(url: str) -> Celery:
    return make_app(settings_with(url))


@pytest.mark.parametrize(
    "url",
    [
        "embedded",
        "unix:///run/redis.sock",
        "redis://127.0.0.1:6379/1",
        "redis://me:secret@redis.local:6379/0",
        "rediss://redis.local:6379/0",
    ],
)
def test_every_broker_is_reached_by_the_transport_that_keeps_its_leases(url: str) -> None:
    app = app_on(url)
    for connection in (app.connection_for_read(), app.connection_for_write()):
        assert connection.get_transport_cls() is Transport


@pytest.mark.parametrize("query", ["", "?ssl_ca_certs=/etc/own.pem"])
def test_an_encrypted_broker_must_show_its_certificate_unless_the_address_says_otherwise(query: str) -> None:
    app = app_on(f"rediss://redis.local:6379/0{query}")
    assert app.connection_for_read().ssl["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    assert app.backend.connparams["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    lenient = app_on("rediss://redis.local:6379/0?ssl_cert_reqs=none")
    assert lenient.connection_for_read().ssl["ssl_cert_reqs"] == ssl.CERT_NONE
    assert lenient.backend.connparams["ssl_cert_reqs"] == ssl.CERT_NONE


def test_a_message_can_carry_data_and_no_code() -> None:
    conf = app_on("embedded").conf
    assert (conf.task_serializer, conf.result_serializer) == ("msgpack", "msgpack")
    assert not {"pickle", "yaml"} & {*conf.accept_content, *conf.result_accept_content}


def test_no_module_of_the_working_directory_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_somebody_else.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert import_from_cwd("module_of_somebody_else")
    del sys.modules["module_of_somebody_else"]
    with pytest.raises(ModuleNotFoundError):
        app_on("embedded").loader.import_task_module("module_of_somebody_else")


def test_settings_of_django_in_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings")
    with warnings.catch_warnings(action="error"):
        app_on("embedded")
