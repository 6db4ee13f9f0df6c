"""The command `map`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.output import STDERR, STDOUT, as_json_option, print_json


@click.command("map")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-n", "--limit", default=100_000, show_default=True, type=click.IntRange(1, 100_000), help="How many pictures."
)
@click.option("--open", "opened", is_flag=True, help="Show the page in the browser.")
@as_json_option
def map_(file: Path, limit: int, opened: bool, as_json: bool) -> None:
    """Draw the whole collection on one page, FILE.html: pictures that look alike lie close together.

    \b
    Example: python -m producer map pictures.html --open
    """
    from rich.text import Text

    from producer.pages.html_file import open_page
    from producer.pages.map import collection_map
    from settings import load_settings

    def report(found: dict[str, Any]) -> None:
        if as_json:
            print_json(found)
        else:
            of = f" of {found['of']:,}" if found["of"] > found["points"] else ""
            STDOUT.print(
                Text(f"{found['points']:,}{of} pictures in {found['file']}, {found['bytes'] / 1e6:.1f} MB."),
                soft_wrap=True,
            )
        if opened and not open_page(Path(found["file"])):
            STDERR.print("No browser could be opened: open the page by hand.")

    collection_map(file, limit, load_settings(), STDERR, report)
