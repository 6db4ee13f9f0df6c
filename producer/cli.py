"""The command line of the producer."""

import os
from importlib import import_module

import click

# Command -> its module in producer/commands, in the order in which they are explained.
_HOMES = {
    "ingest": "ingest",
    "resume": "ingest",
    "search": "search",
    "similar": "search",
    "embed": "models",
    "caption": "models",
    "label": "label",
    "evaluate": "evaluate",
    "duplicates": "duplicates",
    "status": "jobs",
    "stats": "collection",
    "jobs": "jobs",
    "cancel": "jobs",
    "errors": "jobs",
    "retry": "ingest",
    "report": "jobs",
    "export": "collection",
    "sidecars": "sidecars",
    "prune": "collection",
    "forget": "collection",
    "watch": "ingest",
    "map": "collection",
    "move": "collection",
}


class Commands(click.Group):
    """Imports the module of a command when it is asked for: a question need not wait for the imports of an ingest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, if there is one."""
        return command(cmd_name) if cmd_name in _HOMES else None


def command(name: str) -> click.Command:
    """The command of this name; raises KeyError where there is none."""
    module = import_module(f"producer.commands.{_HOMES[name]}")
    found: click.Command = getattr(module, f"{name}_" if name == "map" else name)
    return found


def commands() -> dict[str, click.Command]:
    """All commands by their names."""
    return {name: command(name) for name in _HOMES}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings", "settings_file", type=click.Path(dir_okay=False), help="Settings file (default: settings.toml)."
)
def cli(settings_file: str | None) -> None:
    """Turn a folder of pictures into a searchable Qdrant collection."""
    if settings_file is not None:
        # By the environment, so that workers which this command starts read the same file.
        os.environ["DARKROOM_SETTINGS"] = os.path.abspath(settings_file)
