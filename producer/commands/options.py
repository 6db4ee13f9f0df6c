"""The options that search, similar and duplicates share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from producer.commands.output import as_json_option

F = TypeVar("F", bound=Callable[..., Any])
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


def result_options(command: F) -> F:
    """--where, --html, --open, --pictures and --json."""
    for option in (as_json_option, pictures_option, open_option, html_option, where_option):
        command = option(command)
    return command
