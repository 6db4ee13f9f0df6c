"""The command line as a person and a program use it: help, exit codes, one JSON object."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from producer.cli import cli
from settings import load_settings
from tasks.ledger import Failure, Ledger
from tests.conftest import ROOT
from tests.e2e.in_process import in_this_process
from tests.own_settings import own_settings

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
def cluster(tmp_path: Path, redis_process: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A settings file that names the private Redis, and a Qdrant that nobody asks; this process has read it."""
    monkeypatch.setenv("COLUMNS", "200")
    own_settings(tmp_path, monkeypatch, CLUSTER.format(url=redis_process))
    yield str(tmp_path / "settings.toml")
    load_settings.cache_clear()


@pytest.fixture
def job(client: redis.Redis) -> str:
    """A finished job with one failure whose name is not plain."""
    ledger = Ledger(client, "20260131-142501-9f3a")
    ledger.open("file:///p")
    ledger.stored([0, 1], [False, True])
    ledger.failed([Failure(2, "file:///p/%C3%A4%20b.png", "read", "the file is empty")])
    ledger.skipped([], [Failure(3, "file:///p/c.png", "decode", "its PNG data are damaged")])
    ledger.note(total=4, state="done")
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
    "arguments", [("ingest",), ("search",), ("search", "x", "-n", "0"), ("map",), ("nothing",), ("ingest", "--no")]
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
    plain = in_this_process("status", job)
    assert plain.returncode == 0
    assert plain.stdout.startswith(f"{job}  done  1 stored, 1 reused, 1 still broken, 1 failed of 4  since ")
    assert plain.stdout.count("\n") == 1
    done = in_this_process("status", job, "--json")
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert (found["job"], found["state"], found["root"]) == (job, "done", "/p")
    assert (found["total"], found["stored"], found["failed"], found["reused"]) == (4, 2, 1, 1)
    assert (found["skipped"], found["still_broken"]) == (1, 1)


def test_the_errors_of_a_job_are_lines_or_one_object_or_paths(cluster: str, job: str) -> None:
    plain = in_this_process("errors", job)
    listed = "read\tthe file is empty\t/p/ä b.png\ndecode\tstill broken: its PNG data are damaged\t/p/c.png\n"
    assert (plain.returncode, plain.stdout) == (0, listed)
    assert in_this_process("errors", job, "--paths").stdout == "/p/ä b.png\n/p/c.png\n"
    assert in_this_process("errors", job, "-0").stdout == "/p/ä b.png\0/p/c.png\0"
    done = in_this_process("errors", job, "--json")
    assert json.loads(done.stdout) == {
        "job": job,
        "errors": [
            {
                "uri": "file:///p/%C3%A4%20b.png",
                "path": "/p/ä b.png",
                "stage": "read",
                "reason": "the file is empty",
                "still_broken": False,
            },
            {
                "uri": "file:///p/c.png",
                "path": "/p/c.png",
                "stage": "decode",
                "reason": "its PNG data are damaged",
                "still_broken": True,
            },
        ],
    }


def test_without_a_job_it_is_the_latest_one_and_that_is_said(cluster: str, client: redis.Redis, job: str) -> None:
    plain = in_this_process("errors")
    assert (plain.returncode, plain.stderr) == (0, f"2 files of job {job} failed.\n")
    assert json.loads(in_this_process("errors", "--json").stdout)["job"] == job
    client.flushall()
    none = in_this_process("errors")
    assert (none.returncode, none.stdout) == (2, "")
    assert none.stderr == "error: The collection 'pictures' has no job of the last 30 days.\n"


def test_paths_and_json_do_not_go_together(cluster: str, job: str) -> None:
    done = in_this_process("errors", "--json", "--paths")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --json has the paths as well: give either --json or --paths.")


def test_a_reader_that_has_had_enough_ends_a_command_in_silence(cluster: str, client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    ledger.open("file:///p")
    ledger.failed([Failure(number, f"file:///p/{number}.png", "read", "the file is empty") for number in range(5000)])
    for options in ([], ["--json"], ["--paths"]):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "producer", "--settings", cluster, "errors", *options]
        done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_job_without_failures_is_told_so(cluster: str, client: redis.Redis) -> None:
    Ledger(client, "good").open("file:///p")
    done = in_this_process("errors", "good")
    assert (done.stdout, done.stderr) == ("", "No file of job good failed.\n")


@pytest.mark.parametrize("command", ["status", "errors"])
def test_a_job_that_nobody_knows_is_exit_code_2(cluster: str, client: redis.Redis, command: str) -> None:
    done = in_this_process(command, "nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: There is no job nobody: `python -m producer status` shows the latest ones.\n"


@pytest.mark.parametrize("command", ["status", "errors", "retry", "report"])
def test_a_job_whose_name_is_no_text_is_exit_code_2_and_one_sentence(
    cluster: str, client: redis.Redis, command: str
) -> None:
    done = in_this_process(command, "caf\udce9")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "error: There is no job caf\N{REPLACEMENT CHARACTER}: `python -m producer status` shows the latest ones.\n"
    )


def test_what_an_output_cannot_write_ends_no_command(
    cluster: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ledger = Ledger(client, "kyoto")
    ledger.open("file:///p")
    ledger.failed([Failure(0, "file:///p/%E4%BA%AC%E9%83%BD%F0%9F%8D%81.jpg", "decode", "größer als erlaubt")])
    plain = producer("--settings", cluster, "errors", "kyoto")
    assert (plain.returncode, plain.stderr) == (0, "1 file of job kyoto failed.\n")
    assert "/p/\\u4eac\\u90fd" in plain.stdout
    told = json.loads(producer("--settings", cluster, "errors", "kyoto", "--json").stdout)
    assert told["errors"][0]["reason"] == "größer als erlaubt"
    missing = producer("--settings", cluster, "errors", "京都")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
