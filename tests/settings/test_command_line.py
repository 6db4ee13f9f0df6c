"""How a command ends: what goes wrong is one sentence, and an exit code."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import redis
from kombu.exceptions import OperationalError

from settings.command_line import ReaderGone, run, while_somebody_reads
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from settings.loading import ROOT


def end_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException
) -> tuple[int, str]:
    """The exit code of a command that raises this, and the last line that it prints."""

    @click.command()
    def command() -> None:
        raise raised

    monkeypatch.setattr("sys.argv", ["command"])
    with pytest.raises(SystemExit) as end:
        run(command, "command")
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    return int(end.value.code or 0), lines[-1] if lines else ""


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (DarkroomError("A file failed."), 1, "error: A file failed."),
        (WrongUse("That is no folder."), 2, "error: That is no folder."),
        (ServiceMissing("No worker answers."), 3, "error: No worker answers."),
        (
            redis.ConnectionError("closed"),
            3,
            "error: Redis went away (closed): the same command goes on when it is back.",
        ),
        (OperationalError("closed"), 3, "error: Redis went away (closed): the same command goes on when it is back."),
        (
            redis.exceptions.OutOfMemoryError("command not allowed"),
            3,
            "error: Redis is full (its maxmemory is reached): the same command goes on when it is well again.",
        ),
        (redis.ResponseError("WRONGTYPE"), 1, "error: Redis answers with an error (WRONGTYPE)."),
        (click.UsageError("That is no option."), 2, "error: That is no option. See: command --help"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            3,
            "error: Nothing more can be written (No space left on device): make room, and run the command again.",
        ),
        (ReaderGone(), 0, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(3), 3, ""),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    sentence: str,
) -> None:
    assert end_of(monkeypatch, capsys, raised) == (code, sentence)


@click.command()
@click.option("--near", type=click.FloatRange(0, 1, min_open=True))
@click.option("-n", type=click.IntRange(1, 1000))
def numbers(near: float | None, n: int | None) -> None:
    """Takes numbers."""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--near", "abc"], "error: Invalid value for '--near': 'abc' is no number. See: command --help"),
        (["-n", "1.5"], "error: Invalid value for '-n': '1.5' is no whole number. See: command --help"),
        (["-n", "0"], "error: Invalid value for '-n': 0 is not in the range 1<=x<=1000. See: command --help"),
        (["--naer", "1"], "error: No such option '--naer'. Did you mean '--near'? See: command --help"),
    ],
)
def test_a_wrong_argument_is_told_in_the_same_voice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    with pytest.raises(SystemExit) as end:
        run(numbers, "command")
    assert (end.value.code, capsys.readouterr().err) == (2, f"{sentence}\n")


def test_nobody_reads_a_pipe_whose_other_end_is_closed() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(ReaderGone), os.fdopen(writer, "wb", buffering=0) as pipe, while_somebody_reads():
        pipe.write(b"x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("write", ["click.echo('x')", "sys.stdout.write('x') and None"])  # at once, and at the end
def test_output_that_finds_no_room_is_told_once_and_without_a_traceback(write: str) -> None:
    imports = "import sys, click; from settings.command_line import run"
    code = f"{imports}; run(click.command()(lambda: {write}), 'command')"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    told = "error: Nothing more can be written (No space left on device): make room, and run the command again.\n"
    assert (done.returncode, done.stderr) == (3, told)


@pytest.mark.parametrize("write", ["click.echo('x')", "sys.stdout.write('x') and None"])
def test_output_that_nobody_reads_is_no_failure(write: str) -> None:
    imports = "import sys, click; from settings.command_line import run"
    code = f"{imports}; run(click.command()(lambda: {write}), 'command')"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
