"""The command `watch`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.output import STDERR, STDOUT


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--poll", is_flag=True, help="Look at the files every few seconds; network drives are polled anyway.")
@click.option(
    "--settle",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.1, 3600),
    help="Seconds that a file must have been at rest, so that none is read while it is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each batch of changes.")
def watch(directory: Path, poll: bool, settle: float, as_json: bool) -> None:
    """Keep the collection true to DIRECTORY: new, changed, renamed and deleted pictures, until Ctrl-C.

    \b
    It first catches up with what has changed while nobody watched.
    Example: python -m producer watch ~/Pictures
    """
    from rich.text import Text

    from producer.collection.watch import lines_of, watch_folder
    from producer.commands.output import print_json
    from settings import load_settings

    def tell(found: dict[str, Any]) -> None:
        if as_json:
            print_json(found)
            return
        for line in lines_of(found):
            STDOUT.print(Text(line), soft_wrap=True)

    watch_folder(directory, poll, settle, load_settings(), STDERR, tell)
