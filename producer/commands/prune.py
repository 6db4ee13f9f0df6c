"""The command `prune`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show which files are gone and remove nothing.")
@click.option("--force", is_flag=True, help="Remove them also where DIRECTORY is away or empty, or most is gone.")
@as_json_option
def prune(directory: Path, dry_run: bool, force: bool, as_json: bool) -> None:
    """Remove from the collection what is gone below DIRECTORY; pictures on disk are never touched.

    \b
    A folder that is not there or empty is refused, for that is how a disk looks that is not mounted.
    Example: python -m producer prune ~/Pictures --dry-run
    """
    from rich.text import Text

    from producer.collection.prune import prune as run
    from producer.formatting import brief
    from settings import load_settings

    def report(found: dict[str, Any]) -> None:
        if as_json:
            print_json(found)
            return
        for uri in found["uris"]:
            STDOUT.print(Text(brief(uri)), soft_wrap=True)
        done = "nothing is gone"
        if found["gone"]:
            done = f"{found['gone']:,} are gone, nothing was removed" if dry_run else f"{found['removed']:,} removed"
        unsure = f" ({found['unsure']:,} could not be looked at and were kept)" if found["unsure"] else ""
        STDOUT.print(
            Text(f"{found['checked']:,} files of the collection below {found['folder']}: {done}{unsure}."),
            soft_wrap=True,
        )

    run(directory, dry_run, force, load_settings(), report)
