"""Where the commands print, and the options that several of them share."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pictures.uris import path_of
from producer.console import PlainConsole
from settings.command_line import ReaderGone, while_somebody_reads
from settings.plain_text import printable_json


class Output(PlainConsole):
    """The standard output: what is written when nobody reads any more ends the command."""

    def on_broken_pipe(self) -> None:
        """See ReaderGone."""
        raise ReaderGone


STDOUT, STDERR = Output(), PlainConsole(stderr=True)

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
where_option = click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help='Only pictures for which this holds, like camera=Canon*, taken>=2024-06, caption:"red circle" or '
    "near:52.52,13.40,5. May be given several times; docs/search.md has all fields.",
)
html_option = click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with thumbnails, all in one file."
)
open_option = click.option("--open", "opened", is_flag=True, help="Show that page in the browser.")
pictures_option = click.option(
    "--pictures/--no-pictures",
    default=None,
    help="Draw small pictures in the terminal. Default: where it can show real ones.",
)

paths_option = click.option(
    "--paths", is_flag=True, help="Print paths alone, one a line; for what is no file of this machine its address."
)
print0_option = click.option("-0", "--print0", "zero", is_flag=True, help="As --paths, each ended by a zero byte.")


@dataclass(frozen=True)
class ResultOptions:
    """What search, similar and duplicates are told about their results."""

    conditions: tuple[str, ...]
    html: Path | None
    opened: bool
    pictures: bool | None
    paths: bool
    zero: bool
    as_json: bool

    @property
    def paths_alone(self) -> bool:
        """True where nothing but paths is wanted."""
        return self.paths or self.zero


def result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--where, --html, --open, --pictures, --paths, --print0 and --json, given to the command as one `options`."""

    @wraps(command)
    def with_options(
        conditions: tuple[str, ...],
        html: Path | None,
        opened: bool,
        pictures: bool | None,
        paths: bool,
        zero: bool,
        as_json: bool,
        **arguments: Any,
    ) -> Any:
        require_one_form(paths or zero, as_json)
        return command(options=ResultOptions(conditions, html, opened, pictures, paths, zero, as_json), **arguments)

    order = (as_json_option, print0_option, paths_option, pictures_option, open_option, html_option, where_option)
    for option in order:
        with_options = option(with_options)
    return with_options


def require_one_form(paths: bool, as_json: bool) -> None:
    """Raise UsageError where both paths and JSON are asked for: both go to the standard output."""
    if paths and as_json:
        raise click.UsageError("--json has the paths as well: give either --json or --paths.")


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one object as one line of JSON; what the output cannot write stands in it as JSON escapes it."""
    text = json.dumps(fields, ensure_ascii=False)
    try:
        text.encode(STDOUT.encoding)
    except UnicodeEncodeError:
        text = json.dumps(fields)
    with while_somebody_reads():
        click.echo(printable_json(text))


def print_paths(uris: Iterable[str], zero: bool) -> None:
    """Print the path of each file byte by byte as it is, or its address where it is none of this machine."""
    end = b"\0" if zero else b"\n"
    paths = b"".join((path_of(uri) or uri.encode()) + end for uri in uris)
    with while_somebody_reads():
        sys.stdout.flush()
        if (stream := getattr(sys.stdout, "buffer", None)) is not None:
            stream.write(paths)
            stream.flush()
        else:
            sys.stdout.write(os.fsdecode(paths))


def print_line(sentence: str, style: str = "") -> None:
    """Print one line that is never broken in two, so that a path or a command in it can be copied."""
    STDOUT.print(Text(sentence, style=style), soft_wrap=True)


def print_note(sentence: str, paths: bool = False, style: str = "") -> None:
    """Print a sentence about records: on stderr in a pipe and beside `paths`, so that these have the output alone."""
    console = STDOUT if STDOUT.is_terminal and not paths else STDERR
    console.print(Text(sentence, style=style), soft_wrap=True)
