"""The command line of the producer."""

import os

import click

from producer.commands.collection import export, forget, map_, move, prune, stats
from producer.commands.duplicates import duplicates
from producer.commands.ingest import ingest, retry, watch
from producer.commands.jobs import errors, jobs, report, status
from producer.commands.search import search, similar


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings", "settings_file", type=click.Path(dir_okay=False), help="Settings file (default: settings.toml)."
)
def cli(settings_file: str | None) -> None:
    """Turn a folder of pictures into a searchable Qdrant collection."""
    if settings_file is not None:
        # By the environment, so that workers which this command starts read the same file.
        os.environ["DARKROOM_SETTINGS"] = os.path.abspath(settings_file)


for command in (
    ingest,
    search,
    similar,
    duplicates,
    status,
    stats,
    jobs,
    errors,
    retry,
    report,
    export,
    prune,
    forget,
    watch,
    map_,
    move,
):
    cli.add_command(command)
