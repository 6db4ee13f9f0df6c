"""Runs a command line to its end: whatever goes wrong is told in one sentence, and is an exit code."""

import sys
from collections.abc import Callable
from typing import NoReturn

import click
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from settings.errors import DarkroomError, ServiceMissing
from settings.redis_errors import may_pass, refusal


def to_stderr(sentence: str) -> None:
    """Tell a person."""
    click.echo(sentence, err=True)


def run(cli: click.Command, name: str, tell: Callable[[str], None] = to_stderr) -> NoReturn:
    """Run `cli`, whose user knows it as `name`, and end the process; `tell` prints the sentence of an error."""
    try:
        # Not click's standalone mode: that one ends Ctrl-C with exit code 1, which here says that files failed.
        sys.exit(cli(prog_name=name, standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DarkroomError as error:
        tell(f"error: {error}")
        sys.exit(error.exit_code)
    except (RedisError, OperationalError) as error:
        if (reason := refusal(error)) is not None:
            tell(f"error: Redis {reason}: the same command goes on when it is well again.")
        elif may_pass(error):
            tell(f"error: Redis went away ({error}): the same command goes on when it is back.")
        else:
            tell(f"error: Redis answers with an error ({error}).")
            sys.exit(DarkroomError.exit_code)
        sys.exit(ServiceMissing.exit_code)
    except (KeyboardInterrupt, click.Abort):
        tell("interrupted")
        sys.exit(130)
