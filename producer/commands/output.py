"""Where the commands print, and the option that all of them share."""

import json
from typing import Any

import click
from rich.console import Console

STDOUT, STDERR = Console(), Console(stderr=True)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


def print_json(found: dict[str, Any]) -> None:
    """Print one object as one line of JSON."""
    click.echo(json.dumps(found, ensure_ascii=False))
