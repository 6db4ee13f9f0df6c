"""docker-compose.yml, read without Docker: sound by the Compose schema, and its commands and settings are ours."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from producer.cli import cli as producer
from settings import Settings, load_settings
from settings.embedder import DEFAULT
from settings.errors import WrongUse
from settings.loading import PREFIX
from settings.sections import Metrics
from tests.conftest import ROOT
from web.cli import web
from workers.cli import cli as workers
from workers.metrics import port_of

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("darkroom:")}
# They read pictures, and the names of models.
PICTURES = {"gpu", "cpu", "ingest", "web", "producer"}
# They write the lists of jobs, and read them.
JOBS = {"ingest", "web", "producer"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def default_of(value: str) -> str:
    """What a value of the file becomes where the person has set nothing."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def mounts(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Target -> the mount, as the long form of Compose has it, where the person has set nothing."""
    found = {}
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, target, *mode = default_of(volume).split(":")
            kind = "bind" if source.startswith((".", "/")) else "volume"
            volume = {"type": kind, "source": source, "target": target, "read_only": mode == ["ro"]}
        found[volume["target"]] = volume
    return found


def test_the_file_is_sound_by_the_schema_of_compose() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec.json").read_text())
    # The specification has it since then.
    volume = schema["definitions"]["service"]["properties"]["volumes"]["items"]["oneOf"][1]
    volume["properties"]["bind"]["properties"]["create_host_path"] = {"type": "boolean"}
    jsonschema.Draft7Validator(schema).validate(COMPOSE)
    broken = {**COMPOSE, "services": {"redis": {**SERVICES["redis"], "comand": []}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft7Validator(schema).validate(broken)


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours(name: str) -> None:
    words = [*OURS[name].get("entrypoint", ["python", "-m"]), *OURS[name]["command"]]
    assert words[:2] == ["python", "-m"]
    module, *arguments = words[2:]
    command = {"producer": producer, "web": web, "workers": workers}[module]
    # With --help at its end a command parses its arguments and does nothing.
    asked = CliRunner().invoke(command, [*arguments, "--help"])
    assert asked.exit_code == 0, asked.output
    assert "Usage: " in asked.output
    assert not isinstance(command, click.Group) or arguments[0] in command.list_commands(click.Context(command))


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
    defaults = {**Settings.model_fields["models"].default.model_dump(), "clip": DEFAULT}
    assert settings.models.model_dump() == defaults, "the defaults of the file are the project's own"
    assert settings.models.is_auto


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
    base = re.search(r"^FROM (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert base
    assert re.search(r":\d+\.\d+\.\d+", base[1])
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert version
    assert {service["image"] for service in OURS.values()} == {f"darkroom:{version[1]}"}


def test_prometheus_asks_the_workers_where_they_answer() -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    asked = {(name, found["port"]) for found in jobs[0]["dns_sd_configs"] for name in found["names"]}
    settings = Settings.model_construct(metrics=Metrics(port=COMPOSE["x-settings"]["DARKROOM__METRICS__PORT"]))
    devices = {("gpu", port_of(settings, f"gpu{number}")) for number in range(8)}
    assert asked == {("storage", port_of(settings, "storage")), ("cpu", port_of(settings, "gpu0")), *devices}
    assert {name for name, _ in asked} <= SERVICES.keys()
    assert jobs[1]["static_configs"][0]["targets"] == ["flower:5555"]


def test_redis_keeps_what_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert "redis:/data" in SERVICES["redis"]["volumes"]
    assert SERVICES["qdrant"]["volumes"] == ["qdrant:/qdrant/storage"]


def test_whoever_reads_pictures_sees_them_and_cannot_write_them() -> None:
    for name, service in OURS.items():
        found = mounts(service)
        assert ("/photos" in found) == (name in PICTURES), name
        assert all(mount.get("read_only") for target, mount in found.items() if target == "/photos")
        assert ("/models" in found) == (name in PICTURES), name


def test_every_volume_is_declared_and_the_user_of_the_image_can_write_to_it() -> None:
    owned = re.search(r"&& chown darkroom:darkroom (.+)$", DOCKERFILE, flags=re.MULTILINE)
    assert owned
    used = set()
    for service in OURS.values():
        for target, mount in mounts(service).items():
            if mount["type"] == "volume":
                used.add(mount["source"])
                # A new volume takes over the owner of the folder that the image has in its place.
                assert target in owned[1].split()
    assert used | {"redis", "qdrant", "prometheus"} == COMPOSE["volumes"].keys()


def test_a_command_finds_the_lists_of_jobs_and_writes_its_pages_where_they_stay() -> None:
    data = re.search(r"DARKROOM__DATA__DIR=(\S+)", DOCKERFILE)
    assert data
    sources = {name: mounts(service).get(data[1], {}).get("source") for name, service in OURS.items()}
    assert sources == {name: "data" if name in JOBS else None for name in OURS}, "logs of several containers do not mix"
    producer = SERVICES["producer"]
    here = mounts(producer)[producer["working_dir"]]
    assert here["type"] == "volume"
    assert not here["read_only"]


def test_what_workers_say_is_in_the_log_of_their_container_and_no_log_grows_without_end() -> None:
    for name, service in SERVICES.items():
        assert service["logging"]["driver"] == "local", name
        assert {"max-size", "max-file"} == service["logging"]["options"].keys()
    # These commands show the lines of their workers on stderr; the local stack does not.
    assert {service["command"][1] for service in OURS.values() if service["command"][0] == "workers"} == {
        "storage", "gpu", "ingest", "flower"
    }  # fmt: skip


def test_gpus_that_docker_does_not_give_are_not_replaced_by_the_cpu() -> None:
    assert SERVICES["gpu"]["command"] == ["workers", "gpu", "--devices", "all"]
    assert SERVICES["cpu"]["command"] == ["workers", "gpu", "--devices", "cpu"]


def test_every_command_of_compose_works_before_anything_is_set_and_the_example_has_every_variable() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    asked = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    assert len(asked) == 7
    assert "${" not in default_of(text), "a variable without a default would end `ps`, `logs` and `down`"
    example = (ROOT / ".env.example").read_text()
    assert dict(re.findall(r"^(\w+)=(.*)$", example, flags=re.MULTILINE)) == asked


def test_without_the_pictures_only_those_who_read_them_do_not_start() -> None:
    for name in PICTURES:
        assert mounts(SERVICES[name])["/photos"]["bind"] == {"create_host_path": False}


def test_pages_are_published_on_this_machine_alone_and_flower_asks_for_a_password() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "flower": ["127.0.0.1:5555:5555"],
        "web": ["127.0.0.1:8765:8765"],
        "prometheus": ["127.0.0.1:9090:9090"],
    }


def test_flower_without_its_login_says_so_and_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["flower"]["environment"].items():
        monkeypatch.setenv(key, default_of(str(value)))
    load_settings.cache_clear()
    try:
        asked = CliRunner().invoke(workers, SERVICES["flower"]["command"][1:])
    finally:
        load_settings.cache_clear()
    assert isinstance(asked.exception, WrongUse)
    assert "set flower.basic_auth to" in str(asked.exception)


def test_the_image_runs_as_a_user_without_rights_and_holds_what_its_commands_need() -> None:
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert user
    assert user[-1] not in ("root", "0")
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, flags=re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    ignored = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert ignored == copied


def test_the_image_has_every_package_that_a_command_may_ask_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installed = re.search(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert installed
    # Redis is a service of its own here.
    assert set(installed[1].split(",")) == extras.keys() - {"dev", "redis"}


@pytest.mark.parametrize("name", ["flower", "web"])
def test_the_check_of_a_page_is_a_program_that_python_takes(name: str) -> None:
    test = SERVICES[name]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "-c"]
    done = subprocess.run(
        [sys.executable, "-c", f"compile({test[3]!r}, 'check', 'exec')"], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
