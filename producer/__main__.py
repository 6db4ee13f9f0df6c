"""Run the command line; a mistake or a missing service ends in one sentence and an exit code."""

import sys

import click

from producer.cli import cli
from tasks.errors import DarkroomError


def main() -> None:
    """Entry point of `python -m producer`."""
    try:
        cli(prog_name="python -m producer")
    except DarkroomError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
