"""The command `stats`."""

from typing import Any

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@as_json_option
def stats(as_json: bool) -> None:
    """Show what the collection holds: formats, years, cameras, lenses, folders, and the words of its captions.

    \b
    Example: python -m producer stats
    """
    from producer.collection.stats import print_stats
    from producer.collection.stats import stats as run
    from settings import load_settings

    def report(found: dict[str, Any]) -> None:
        if as_json:
            print_json(found)
        else:
            print_stats(found, STDOUT)

    run(load_settings(), report)
