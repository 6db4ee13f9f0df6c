"""The command `move`."""

import click

from producer.commands.output import STDERR, STDOUT, as_json_option, print_json


@click.command()
@click.option("--to", "url", required=True, metavar="URL", help="The address of the Qdrant server.")
@as_json_option
def move(url: str, as_json: bool) -> None:
    """Copy the embedded collection to a Qdrant server.

    The key of the server comes from the settings (DARKROOM__QDRANT__API_KEY), and so does the layout of the new
    collection. Nothing is removed here; a move that was interrupted goes on where it was.

    \b
    Example: python -m producer move --to http://host:6333
    """
    from producer.collection.move import Moved, print_moved
    from producer.collection.move import move as run
    from settings import load_settings

    settings = load_settings()

    def report(moved: Moved) -> None:
        if as_json:
            print_json(moved.as_json())
        else:
            print_moved(moved, settings, STDOUT)

    run(url, settings, STDERR, report)
