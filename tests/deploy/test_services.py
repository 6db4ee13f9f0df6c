"""The units for systemd and launchd: the command that they start exists, and they stop it as a supervisor wants it."""

import configparser
import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from darkroom.cli import cli
from settings import load_settings
from settings.errors import WrongUse
from tasks.stack.paths import stack_paths
from tests.conftest import ROOT
from workers.logs import VARIABLE
from workers.supervisor.supervisor import GRACE_SECONDS

UNITS = sorted((ROOT / "deploy").glob("*.service"))
PLIST = ROOT / "deploy" / "darkroom.plist"
# GPU workers, ingest worker and Flower first, then the storage worker, then Redis.
STAGES = 3
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)


def sections(unit: Path) -> configparser.ConfigParser:
    """What a unit says; a key that may come several times keeps its last value."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    parser.read_string(unit.read_text(encoding="utf-8"))
    return parser


def assert_starts_a_stack_that_stays(words: list[str]) -> None:
    program, name, *arguments = words
    assert Path(program.replace("%h", "/home/me")).is_absolute()
    assert Path(program).name == "darkroom"
    command = cli.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
    assert command is not None
    assert name == "up"
    # Parsing is all: an option that it does not have would be refused.
    command.make_context(name, arguments, resilient_parsing=False)


@each_unit
def test_a_unit_starts_a_command_that_exists(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # which --log-json sets for good
    assert_starts_a_stack_that_stays(sections(unit)["Service"]["ExecStart"].split())


@each_unit
def test_a_unit_leaves_the_children_to_the_supervisor_and_gives_it_time(unit: Path) -> None:
    service = sections(unit)["Service"]
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")
    assert int(service["TimeoutStopSec"]) > STAGES * GRACE_SECONDS


@each_unit
def test_a_unit_is_started_again_after_a_crash_but_not_after_down_nor_with_wrong_settings(unit: Path) -> None:
    service = sections(unit)["Service"]
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == str(WrongUse.exit_code)


@each_unit
def test_a_unit_does_not_hide_the_socket_from_the_commands(unit: Path) -> None:
    assert str(stack_paths(load_settings()).socket).startswith("/tmp/")
    assert sections(unit)["Service"].get("PrivateTmp", "no") == "no"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
@each_unit
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    # With a command that exists here: what is missing on this machine is not the unit's fault.
    copy = tmp_path / "darkroom.service"
    words = sections(unit)["Service"]["ExecStart"]
    copy.write_text(unit.read_text().replace(words, "/bin/true").replace("User=darkroom\n", ""))
    checked = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_agent_of_macos_starts_the_same_and_gives_it_time() -> None:
    agent = plistlib.loads(PLIST.read_bytes())
    assert_starts_a_stack_that_stays(agent["ProgramArguments"])
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ExitTimeOut"] > STAGES * GRACE_SECONDS
