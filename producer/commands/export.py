"""The command `export`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.options import where_option
from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@where_option
@as_json_option
def export(file: Path, conditions: tuple[str, ...], as_json: bool) -> None:
    """Write the collection to FILE: .parquet with the vectors, .csv or .jsonl without them.

    \b
    Example: python -m producer export pictures.parquet
             python -m producer export 2024.csv --where taken=2024
    """
    from rich.text import Text

    from producer.collection.export import export as run
    from producer.collection.where import parse_conditions
    from settings import load_settings

    def report(found: dict[str, Any]) -> None:
        if as_json:
            print_json(found)
        else:
            STDOUT.print(
                Text(f"{found['points']:,} points in {found['file']}, {found['bytes']:,} bytes."), soft_wrap=True
            )

    run(file, parse_conditions(conditions), load_settings(), report)
