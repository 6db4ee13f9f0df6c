"""One Redis, one embedded catalog, producers anywhere: real workers and commands, each with a data directory."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.conftest import ROOT
from tests.e2e.conftest import free_port
from tests.e2e.several_machines import Machines, machines_on
from tests.until import until
from workers.storage.owner import owner_key

pytestmark = pytest.mark.e2e

KEY = owner_key("pictures")


@pytest.fixture
def machines(redis_process: str, client: redis.Redis, tmp_path: Path) -> Iterator[Machines]:
    """A cluster without any worker yet."""
    (tmp_path / "machines").mkdir()
    with machines_on(redis_process, tmp_path / "machines") as own:
        yield own


def workers(machines: Machines, data: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the machines to its end, on a machine with its own data directory."""
    return subprocess.run(
        [sys.executable, "-m", "workers", *command],
        cwd=ROOT,
        env=machines.env(DARKROOM__DATA__DIR=str(machines.folder / data)),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", [["storage"], ["storage", "--one"], ["up"]])
def test_a_second_embedded_catalog_ends_in_a_sentence_that_names_the_first(
    machines: Machines, command: list[str]
) -> None:
    machines.storage("storage@first")
    port = ["--port", str(free_port())] if command == ["up"] else []
    refused = workers(machines, "second", *command, *port)
    assert refused.returncode == 3, refused.stderr
    path = machines.folder / "storage@first" / "catalog" / "pictures"
    assert refused.stderr.splitlines()[-1] == (
        f"error: The collection pictures is in the embedded catalog of the worker storage@first ({path} on "
        f"{socket.gethostname()}), and one Redis takes only one such catalog: run `python -m workers gpu` here to "
        "work for that one, name another qdrant.collection, or set qdrant.url to a server on all machines."
    )
    assert "Traceback" not in refused.stderr


def test_another_one_may_come_after_an_owner_that_stopped_and_the_same_one_after_a_kill(machines: Machines) -> None:
    machines.storage("storage@first")
    machines.stop("storage@first")
    machines.storage("storage@second")
    machines.kill("storage@second")
    # At once: the lease of the killed process still lasts.
    machines.storage("storage@second")
    assert json.loads(machines.client.get(KEY) or "")["worker"] == "storage@second"


def test_an_owner_whose_lease_went_to_another_one_stops_and_says_so(machines: Machines) -> None:
    machines.storage("storage@first")
    other = {"catalog": "x", "place": "elsewhere:/x", "worker": "storage@elsewhere", "token": "t"}
    machines.client.set(KEY, json.dumps(other))
    assert machines.wait("storage@first") == 3
    last = machines.log("storage@first").splitlines()[-1]
    assert last.startswith(
        "error: The collection pictures is in the embedded catalog of the worker storage@elsewhere (/x on "
    )
    assert json.loads(machines.client.get(KEY) or "") == other


def test_a_supervised_owner_that_is_killed_is_started_again_at_once(machines: Machines) -> None:
    env = machines.env(DARKROOM__DATA__DIR=str(machines.folder / "kept"))
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "workers", "storage"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    )
    node = f"storage@{socket.gethostname()}"
    try:
        first = until(lambda: machines.ready().get(node), "the storage worker to be ready")
        os.kill(first, signal.SIGKILL)
        until(lambda: machines.ready().get(node) not in (None, first), "the next one to be ready")
    finally:
        supervisor.terminate()
        _, said = supervisor.communicate(timeout=60)
    # Between the lines of its worker.
    about = [line for line in said.splitlines() if line.startswith("storage ")]
    assert about == ["storage was killed by SIGKILL. Starting it again in 0.5 s."]


EMBEDDED = {"DARKROOM__QDRANT__URL": "embedded"}


def test_a_producer_with_only_the_address_of_redis_uses_the_storage_worker_that_is_there(
    machines: Machines, folder: Path
) -> None:
    machines.storage("storage@first")
    machines.gpu("gpu0@first")
    done = machines.json("ingest", str(folder), **EMBEDDED)
    assert (done["exit"], done["stored"], done["failed"]) == (0, 40, 0)
    assert machines.json("status", **EMBEDDED)["collection"]["points"] == 40
    assert not (machines.folder / "producer" / "catalog").exists()
    machines.stop("storage@first")
    assert len(machines.points("storage@first")) == 40


def said_by(refused: "subprocess.Popen[str]") -> str:
    """The one line of a command that is refused."""
    _, err = refused.communicate(timeout=120)
    assert refused.returncode == 3, err
    (line,) = err.splitlines()
    return line


def test_without_a_storage_worker_every_command_says_what_to_start(machines: Machines, folder: Path) -> None:
    # Side by side, for each waits some seconds for one that may just be starting.
    commands = (["status"], ["ingest", str(folder)], ["search", "a red circle"])
    refused = [machines.producer(*command, **EMBEDDED) for command in commands]
    assert {said_by(each) for each in refused} == {
        "error: No storage worker is up at this Redis: start one with `python -m workers storage`, or all that one "
        "machine can run with `python -m workers up`."
    }
    assert not (machines.folder / "producer" / "redis").exists()


def test_a_search_without_a_gpu_worker_says_what_to_start(machines: Machines, folder: Path) -> None:
    machines.storage("storage@first")
    machines.gpu("gpu0@first")
    assert machines.json("ingest", str(folder), **EMBEDDED)["exit"] == 0
    machines.stop("gpu0@first")
    assert said_by(machines.producer("search", "a red circle", **EMBEDDED)) == (
        "error: No GPU worker is up at this Redis: start one with `python -m workers gpu`."
    )
