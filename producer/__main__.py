"""Run the command line; a mistake or a missing service ends in one sentence and an exit code."""

import sys

import click
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from producer.cli import cli
from settings.errors import DarkroomError, ServiceMissing


def main() -> None:
    """Entry point of `python -m producer`."""
    try:
        # Not click's standalone mode: that one ends Ctrl-C with exit code 1, which here says that files failed.
        sys.exit(cli(prog_name="python -m producer", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DarkroomError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except (RedisError, OperationalError) as error:
        click.echo(f"error: Redis went away ({error}): the same command goes on when it is back.", err=True)
        sys.exit(ServiceMissing.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
