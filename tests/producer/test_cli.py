"""The command line as a person and a program use it: help, exit codes, one JSON object."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from producer.cli import cli
from tasks.ledger import Failure, Ledger
from tests.conftest import ROOT

COMMANDS = (
    "ingest",
    "search",
    "status",
    "errors",
    "move",
    "stats",
    "jobs",
    "retry",
    "report",
    "export",
    "prune",
    "forget",
    "watch",
    "map",
)
# With both services named the producer starts nothing, and these commands need Redis alone.
CLUSTER = '[broker]\nurl = "{url}"\n[qdrant]\nurl = "http://127.0.0.1:9"\n'


def help_of(*command: str) -> str:
    shown = CliRunner().invoke(cli, [*command, "--help"])
    assert shown.exit_code == 0
    return shown.output


def producer(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "producer", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def cluster(tmp_path: Path, redis_process: str) -> str:
    """A settings file that names the private Redis, and a Qdrant that nobody asks."""
    file = tmp_path / "settings.toml"
    file.write_text(CLUSTER.format(url=redis_process))
    return str(file)


@pytest.fixture
def job(client: redis.Redis) -> str:
    """A finished job with one failure whose name is not plain."""
    ledger = Ledger(client, "20260131-142501-9f3a")
    ledger.open("file:///p")
    ledger.stored([0, 1], [False, True])
    ledger.failed([Failure(2, "file:///p/%C3%A4%20b.png", "read", "the file is empty")])
    ledger.note(total=3, state="done")
    return ledger.job


def test_the_help_names_every_command_with_one_line() -> None:
    shown = help_of()
    for command in COMMANDS:
        line = next(line for line in shown.splitlines() if line.startswith(f"  {command} "))
        assert len(line.split()) > 3


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_an_example_in_a_line_of_its_own(command: str) -> None:
    lines = [line.strip() for line in help_of(command).splitlines()]
    assert any(line.startswith(f"Example: python -m producer {command}") for line in lines)
    assert any(line.startswith("--json") for line in lines)


def test_the_help_of_ingest_tells_the_exit_codes() -> None:
    shown = help_of("ingest")
    for code in ("0 all good", "1 some files failed", "2 wrong use", "3 a service is missing", "130 interrupted"):
        assert code in " ".join(shown.split())


@pytest.mark.parametrize(
    "arguments", [("ingest",), ("search",), ("search", "x", "-n", "0"), ("errors",), ("nothing",), ("ingest", "--no")]
)
def test_an_argument_that_is_missing_or_wrong_is_exit_code_2_and_points_to_the_help(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr
    assert done.stdout == ""


def test_a_folder_that_is_not_there_is_one_sentence_and_exit_code_2(cluster: str, tmp_path: Path) -> None:
    done = producer("--settings", cluster, "ingest", str(tmp_path / "nowhere"), "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: There is no folder {tmp_path / 'nowhere'}.\n"


def test_a_settings_file_that_is_not_there_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = producer("--settings", str(tmp_path / "nowhere.toml"), "status")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "nowhere.toml" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_status_of_a_job_is_one_line_or_one_object(cluster: str, job: str) -> None:
    plain = producer("--settings", cluster, "status", job)
    assert plain.returncode == 0
    assert plain.stdout.startswith(f"{job}  done  2 stored, 0 unchanged, 1 failed of 3  since ")
    assert plain.stdout.count("\n") == 1
    done = producer("--settings", cluster, "status", job, "--json")
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert (found["job"], found["state"], found["root"]) == (job, "done", "/p")
    assert (found["total"], found["stored"], found["failed"], found["reused"]) == (3, 2, 1, 1)


def test_the_errors_of_a_job_are_a_table_or_one_object(cluster: str, job: str) -> None:
    plain = producer("--settings", cluster, "errors", job)
    assert plain.returncode == 0
    assert plain.stdout.splitlines()[1].split() == ["/p/ä", "b.png", "read", "the", "file", "is", "empty"]
    done = producer("--settings", cluster, "errors", job, "--json")
    assert json.loads(done.stdout) == {
        "job": job,
        "errors": [{"uri": "file:///p/%C3%A4%20b.png", "stage": "read", "reason": "the file is empty"}],
    }


def test_a_job_without_failures_is_told_so(cluster: str, client: redis.Redis) -> None:
    Ledger(client, "good").open("file:///p")
    assert producer("--settings", cluster, "errors", "good").stdout == "No file of job good failed.\n"


@pytest.mark.parametrize("command", ["status", "errors"])
def test_a_job_that_nobody_knows_is_exit_code_2(cluster: str, client: redis.Redis, command: str) -> None:
    done = producer("--settings", cluster, command, "nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: There is no job nobody: `python -m producer status` shows the latest ones.\n"
