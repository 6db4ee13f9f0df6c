"""How a command ends: what goes wrong is one sentence, and an exit code."""

import click
import pytest
import redis
from kombu.exceptions import OperationalError

from settings.command_line import run
from settings.errors import DarkroomError, ServiceMissing, WrongUse


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
        (click.UsageError("That is no option."), 2, "Error: That is no option."),
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
