"""The command line of `darkroom`: the producer's commands, and below them those of the gallery and of the machines."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from darkroom import __version__
from settings import load_settings

# The producer has a command of the same name, for people; this one is the worker that ingests for other programs.
RENAMED = {"ingest": "ingest-worker"}


def _commands_of_the_producer() -> Mapping[str, click.Command]:
    from producer.cli import commands

    return commands()


def _commands_of_the_machines() -> Mapping[str, click.Command]:
    from workers.cli import cli

    return {RENAMED.get(name, name): command for name, command in cli.commands.items()}


def _commands_of_the_web() -> Mapping[str, click.Command]:
    from web.cli import mcp, token, web

    return {"web": web, "mcp": mcp, "token": token}


class Commands(click.Group):
    """Imports the producer's commands for any command, the others only for one that is not among them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, the producer's first."""
        return [*_commands_of_the_producer(), *_commands_of_the_web(), *_commands_of_the_machines()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, if there is one."""
        from producer.cli import cli as producer

        return (
            producer.get_command(ctx, cmd_name)
            or _commands_of_the_web().get(cmd_name)
            or _commands_of_the_machines().get(cmd_name)
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each kind below a heading of its own."""
        longest = max(map(len, self.list_commands(ctx)))
        for heading, commands in (
            ("Commands", _commands_of_the_producer()),
            ("Commands of the gallery", _commands_of_the_web()),
            ("Commands of the machines", _commands_of_the_machines()),
        ):
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (name.ljust(longest), command.get_short_help_str(formatter.width - longest - 6))
                        for name, command in sorted(commands.items())
                        if not command.hidden
                    ]
                )


def _read_settings_from(_context: click.Context, _option: click.Parameter, file: Path | None) -> None:
    if file:
        # By the environment, so that every child process reads the same file; before any command is imported.
        os.environ["DARKROOM_SETTINGS"] = str(file.expanduser().absolute())
        load_settings.cache_clear()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    expose_value=False,
    callback=_read_settings_from,
    help="Read the settings from FILE instead of settings.toml.",
)
def cli() -> None:
    """Turn folders of pictures into a searchable Qdrant collection, and run what that needs."""


def tell(sentence: str) -> None:
    """Print the sentence of an error as the commands of the machines do: for people, or for machines (--log-json)."""
    from workers.cli import tell as tell_as_asked

    tell_as_asked(sentence)
