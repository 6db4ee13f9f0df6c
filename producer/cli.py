"""The command line of the producer."""

import os

import click

from producer.commands.errors import errors
from producer.commands.ingest import ingest
from producer.commands.search import search
from producer.commands.status import status


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings", "settings_file", type=click.Path(dir_okay=False), help="Settings file (default: settings.toml)."
)
def cli(settings_file: str | None) -> None:
    """Turn a folder of pictures into a searchable Qdrant collection."""
    if settings_file is not None:
        # By the environment, so that workers which this command starts read the same file.
        os.environ["DARKROOM_SETTINGS"] = os.path.abspath(settings_file)


for command in (ingest, search, status, errors):
    cli.add_command(command)
