"""`darkroom`: every command below one name, with the exit codes and the sentences of `python -m`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import redis

import darkroom
import producer.cli
import workers.cli
from darkroom.cli import cli
from tasks.ledger import Ledger
from tests.conftest import ROOT

PROGRAM = Path(sys.executable).parent / "darkroom"


def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=120
    )  # fmt: skip


def complete(words: str, at: int) -> list[str]:
    """What the shell offers for the word number `at` of a line that begins with `words`."""
    done = run(_DARKROOM_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at))
    return [line.removeprefix("plain,") for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def context() -> click.Context:
    return click.Context(cli)


def test_every_command_of_the_producer_and_of_the_machines_is_there(context: click.Context) -> None:
    for name, command in producer.cli.commands().items():
        assert cli.get_command(context, name) is command
    for name, command in workers.cli.cli.commands.items():
        assert cli.get_command(context, "ingest-worker" if name == "ingest" else name) is command
    assert {"web", "mcp", "token"} <= set(cli.list_commands(context))


def test_no_command_hides_another_of_the_same_name(context: click.Context) -> None:
    names = cli.list_commands(context)
    assert len(names) == len(set(names)) == len(producer.cli.commands()) + len(workers.cli.cli.commands) + 3


def test_the_help_lists_all_of_them_for_people() -> None:
    for option in ("-h", "--help"):
        shown = run(option).stdout
        for command in ("ingest", "search", "web", "token", "up", "check", "ingest-worker"):
            assert f"\n  {command} " in shown
        assert "\n  serve " not in shown


def test_the_help_of_a_command_says_how_it_is_called() -> None:
    assert run("search", "-h").stdout.startswith("Usage: darkroom search [OPTIONS]")
    assert run("ingest-worker", "-h").stdout.startswith("Usage: darkroom ingest-worker [OPTIONS]")


def test_commands_of_the_producer_load_nothing_of_the_machines() -> None:
    code = (
        "import sys; from darkroom.cli import cli\n"
        "cli(['search', '--help'], standalone_mode=False)\n"
        "sys.exit('workers' in sys.modules or 'web' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0


def test_the_version_is_that_of_the_distribution() -> None:
    shown = run("--version")
    assert (shown.returncode, shown.stdout) == (0, f"darkroom {darkroom.__version__}\n")
    assert f'\nversion = "{darkroom.__version__}"\n' in (ROOT / "pyproject.toml").read_text()


def test_the_shell_completes_commands_and_options() -> None:
    assert complete("darkroom sea", 1) == ["search"]
    assert complete("darkroom ingest", 1) == ["ingest", "ingest-worker"]
    assert complete("darkroom search --w", 2) == ["--where"]
    assert complete("darkroom up --p", 2) == ["--port"]
    assert "serve" not in complete("darkroom s", 1)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_line_of_the_docs_turns_completion_on() -> None:
    (line,) = [
        line.strip() for line in (ROOT / "docs" / "operations.md").read_text().splitlines() if "bash_source" in line
    ]
    script = f"{line}\ncomplete -p darkroom"
    env = {**os.environ, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}
    shown = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert shown.stdout == "complete -o nosort -F _darkroom_completion darkroom\n"


def test_what_is_wrong_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    assert "error: No such command 'nothing'" in run("nothing").stderr
    assert run("nothing").returncode == run("search").returncode == 2
    for command in ("status", "up"):
        done = run("--settings", str(tmp_path / "nowhere.toml"), command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: The settings file {tmp_path / 'nowhere.toml'} does not exist")
        assert done.stderr.count("\n") == 1


def test_an_error_for_machines_is_one_object(tmp_path: Path) -> None:
    done = run("--settings", str(tmp_path / "nowhere.toml"), "up", "--log-json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["message"].startswith("error: The settings file ")


def test_commands_to_paste_are_commands_of_darkroom(client: redis.Redis, redis_process: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'[broker]\nurl = "{redis_process}"\n[qdrant]\nurl = "http://127.0.0.1:9"\n')
    ledger = Ledger(client, "20260131-142501-9f3a")
    ledger.open("file:///p")
    ledger.note(total=1, state="interrupted")
    done = run("--settings", str(file), "status", ledger.job)
    assert f"Go on with: darkroom --settings {file} ingest /p" in done.stdout
