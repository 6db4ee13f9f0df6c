"""docker-compose.yml, read without Docker: sound by the Compose schema, and its commands and settings are ours."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from producer.cli import cli as producer
from settings import Settings, load_settings
from settings.loading import PREFIX
from settings.sections import Metrics
from tests.conftest import ROOT
from workers.cli import cli as workers
from workers.metrics import port_of

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("darkroom:")}
PICTURES = {"gpu", "cpu", "ingest", "producer"}


def default_of(value: str) -> str:
    """What a value of the file becomes where the person has set only what must be set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "user:password", value))


def test_the_file_is_sound_by_the_schema_of_compose() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(COMPOSE)
    broken = {**COMPOSE, "services": {"redis": {**SERVICES["redis"], "comand": []}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft7Validator(schema).validate(broken)


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours(name: str) -> None:
    words = [*OURS[name].get("entrypoint", ["python", "-m"]), *OURS[name]["command"]]
    assert words[:2] == ["python", "-m"]
    module, *arguments = words[2:]
    command = {"producer": producer, "workers": workers}[module]
    # With --help at its end a command parses its arguments and does nothing.
    asked = CliRunner().invoke(command, [*arguments, "--help"])
    assert asked.exit_code == 0, asked.output
    assert "Usage: " in asked.output
    assert arguments[0] in command.commands


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_with_a_value_that_it_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [variable for variable in os.environ if variable.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    environment = {key: default_of(str(value)) for key, value in OURS[name]["environment"].items()}
    for key, value in environment.items():
        assert key.startswith(PREFIX)
        monkeypatch.setenv(key, value)
    load_settings.cache_clear()
    try:
        settings = load_settings()
    finally:
        load_settings.cache_clear()
    assert "embedded" not in (settings.broker.url, settings.qdrant.url)
    assert settings.models == Settings.model_fields["models"].default, "the defaults of the file are the project's own"


def test_the_addresses_name_services_of_the_file() -> None:
    environment = COMPOSE["x-settings"]
    hosts = [urlsplit(environment[f"DARKROOM__{part}__URL"]).hostname for part in ("BROKER", "QDRANT")]
    assert hosts == ["redis", "qdrant"]
    assert set(hosts) <= set(SERVICES)


def test_images_are_pinned_and_nobody_waits_for_what_is_not_there() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), name
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in SERVICES[needed]
    base = re.search(r"^FROM (\S+)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert base
    assert re.search(r":\d+\.\d+\.\d+", base[1])
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert version
    assert {service["image"] for service in OURS.values()} == {f"darkroom:{version[1]}"}


def test_prometheus_asks_the_workers_where_they_answer() -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    asked = {name: found["port"] for found in jobs[0]["dns_sd_configs"] for name in found["names"]}
    settings = Settings.model_construct(metrics=Metrics(port=COMPOSE["x-settings"]["DARKROOM__METRICS__PORT"]))
    gpu = port_of(settings, "gpu0")
    assert asked == {"storage": port_of(settings, "storage"), "gpu": gpu, "cpu": gpu}
    assert asked.keys() <= SERVICES.keys()
    assert jobs[1]["static_configs"][0]["targets"] == ["flower:5555"]


def test_redis_keeps_what_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert "redis:/data" in SERVICES["redis"]["volumes"]
    assert SERVICES["qdrant"]["volumes"] == ["qdrant:/qdrant/storage"]


def test_whoever_reads_pictures_sees_them_and_cannot_write_them() -> None:
    for name, service in OURS.items():
        mounts = {volume["target"]: volume for volume in service.get("volumes", [])}
        assert ("/photos" in mounts) == (name in PICTURES), name
        assert all(mount.get("read_only") for target, mount in mounts.items() if target == "/photos")
        assert ("/models" in mounts) == (name in {"gpu", "cpu"})


def test_flower_is_published_on_this_machine_alone_and_asks_for_a_password() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"flower": ["127.0.0.1:5555:5555"], "prometheus": ["127.0.0.1:9090:9090"]}
    assert "${FLOWER_LOGIN:?" in SERVICES["flower"]["environment"]["DARKROOM__FLOWER__BASIC_AUTH"]


def test_the_image_runs_as_a_user_without_rights_and_holds_what_its_commands_need() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    user = re.findall(r"^USER (\S+)$", dockerfile, flags=re.MULTILINE)
    assert user
    assert user[-1] not in ("root", "0")
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", dockerfile, flags=re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    ignored = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert ignored == copied


def test_the_check_of_flower_is_a_program_that_python_takes() -> None:
    test = SERVICES["flower"]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "-c"]
    done = subprocess.run(
        [sys.executable, "-c", f"compile({test[3]!r}, 'check', 'exec')"], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
