"""Where the commands print, and the options that several of them share."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

STDOUT, STDERR = Console(), Console(stderr=True)

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


@dataclass(frozen=True)
class ResultOptions:
    """What search, similar and duplicates are told about their results."""

    conditions: tuple[str, ...]
    html: Path | None
    opened: bool
    pictures: bool | None
    as_json: bool


def result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--where, --html, --open, --pictures and --json, given to the command as one argument `options`."""

    @wraps(command)
    def with_options(
        conditions: tuple[str, ...],
        html: Path | None,
        opened: bool,
        pictures: bool | None,
        as_json: bool,
        **arguments: Any,
    ) -> Any:
        return command(options=ResultOptions(conditions, html, opened, pictures, as_json), **arguments)

    for option in (as_json_option, pictures_option, open_option, html_option, where_option):
        with_options = option(with_options)
    return with_options


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one object as one line of JSON."""
    click.echo(json.dumps(fields, ensure_ascii=False))


def print_line(sentence: str, style: str = "") -> None:
    """Print one line that is never broken in two, so that a path or a command in it can be copied."""
    STDOUT.print(Text(sentence, style=style), soft_wrap=True)
