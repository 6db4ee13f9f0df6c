"""Runs a command line to its end: whatever goes wrong is told in one sentence, and is an exit code."""

import errno
import gc
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import click

from settings.errors import DarkroomError, ServiceMissing
from settings.plain_text import printable_lines
from settings.redis_errors import may_pass, redis_errors, refusal

# What a disk answers that is full, over a quota or failing, and a file that is as large as it may be.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


class ReaderGone(Exception):
    """Whoever read the standard output has had enough, as `head` has after some lines: that is no failure."""


@contextmanager
def while_somebody_reads() -> Iterator[None]:
    """Raise ReaderGone where a write to the standard output finds nobody who reads it."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


def to_stderr(sentence: str) -> None:
    """Tell a person."""
    click.echo(printable_lines(sentence), err=True)


def write_whatever_comes() -> None:
    """Let nothing that is printed end a command: what the terminal's locale lacks is written as `\\u4eac`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run(cli: click.Command, name: str, tell: Callable[[str], None] = to_stderr) -> NoReturn:
    """Run `cli`, whose user knows it as `name`, and end the process; `tell` prints the sentence of an error."""
    write_whatever_comes()
    output = sys.stdout
    try:
        code = _run(cli, name, tell)
    except SystemExit as end:
        code = end.code
    if sys.stdout is not output:  # click has put it aside, for nobody reads it, and ends with 1
        sys.stdout, code = output, 0
    try:
        with while_somebody_reads():
            sys.stdout.flush()
    except (ReaderGone, OSError) as error:
        # Python writes what is left at its end, and would complain.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, OSError) and not code:
            code = _without_room(error, tell)
    gc.freeze()  # what is left goes with the process, and need not be looked through before the prompt is back
    sys.exit(code)


def _without_room(error: OSError, tell: Callable[[str], None]) -> int:
    """Tell of a disk that takes no more; the exit code."""
    tell(f"error: Nothing more can be written ({error.strerror}): make room, and run the command again.")
    return ServiceMissing.exit_code


def _run(cli: click.Command, name: str, tell: Callable[[str], None]) -> str | int | None:
    try:
        # Not click's standalone mode: that one ends Ctrl-C with exit code 1, which here says that files failed.
        return cli(prog_name=name, standalone_mode=False)
    except ReaderGone:
        return 0
    except click.ClickException as error:
        tell(f"error: {_wrong_use(error, name)}")
        return error.exit_code
    except DarkroomError as error:
        tell(f"error: {error}")
        return error.exit_code
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return _without_room(error, tell)
    except redis_errors() as error:
        if (reason := refusal(error)) is not None:
            tell(f"error: Redis {reason}: the same command goes on when it is well again.")
        elif may_pass(error):
            tell(f"error: Redis went away ({error}): the same command goes on when it is back.")
        else:
            tell(f"error: Redis answers with an error ({error}).")
            return DarkroomError.exit_code
        return ServiceMissing.exit_code
    except (KeyboardInterrupt, click.Abort):
        tell("interrupted")
        sys.exit(130)


def _wrong_use(error: click.ClickException, name: str) -> str:
    """What click says of a wrong argument or option, as one sentence that names the help."""
    sentence = " ".join(error.format_message().split())
    sentence = re.sub(r"is not a valid integer( range)?\.?$", "is no whole number.", sentence)
    sentence = re.sub(r"is not a valid float( range)?\.?$", "is no number.", sentence)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    return f"{sentence.rstrip('.')}{'' if sentence.endswith('?') else '.'} See: {path} --help"
