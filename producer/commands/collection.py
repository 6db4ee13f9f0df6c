"""The commands on the collection as a whole: `stats`, `export`, `map`, `prune`, `forget` and `move`."""

from collections.abc import Sequence
from pathlib import Path

import click

from producer.commands.options import (
    STDERR,
    STDOUT,
    as_json_option,
    paths_option,
    print0_option,
    print_json,
    print_line,
    print_note,
    print_paths,
    require_one_form,
    where_option,
)


@click.command()
@as_json_option
def stats(as_json: bool) -> None:
    """Show what the collection holds: formats, years, cameras, lenses, folders, and the words of its captions.

    \b
    Example: python -m producer stats
    """
    from producer.client import Darkroom
    from producer.collection.stats import print_stats

    with Darkroom(console=STDERR) as darkroom:
        counts = darkroom.stats()
        if as_json:
            print_json(counts.to_dict())
        else:
            print_stats(counts, STDOUT)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@where_option
@click.option("--form", type=click.Choice(["parquet", "csv", "jsonl"]), help="Of FILE -: jsonl, unless this is given.")
@as_json_option
def export(file: Path, conditions: tuple[str, ...], form: str | None, as_json: bool) -> None:
    """Write the collection to FILE: .parquet with the vectors, .csv or .jsonl without them; - is the standard output.

    \b
    Example: python -m producer export pictures.parquet
             python -m producer export 2024.csv --where taken=2024
             python -m producer export - --form csv | head
    """
    if as_json and str(file) == "-":
        raise click.UsageError("--json and FILE - both write to the standard output: name a file.")
    if form is not None and str(file) != "-":
        raise click.UsageError("--form is for FILE -: the name of a file says its form.")
    from producer.client import Darkroom
    from producer.formatting import counted

    with Darkroom(console=STDERR) as darkroom:
        exported = darkroom.export(file, where=conditions, form=form)
        if as_json:
            print_json(exported.to_dict())
        elif exported.file != "-":
            print_line(f"{counted(exported.points, 'point')} in {exported.file}, {exported.bytes:,} bytes.")


@click.command("map")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-n", "--limit", default=100_000, show_default=True, type=click.IntRange(1, 1_000_000), help="How many pictures."
)
@click.option("--open", "opened", is_flag=True, help="Show the page in the browser.")
@as_json_option
def map_(file: Path, limit: int, opened: bool, as_json: bool) -> None:
    """Draw the whole collection on one page, FILE.html: pictures that look alike lie close together.

    \b
    Example: python -m producer map pictures.html --open
    """
    from producer.client import Darkroom
    from producer.formatting import counted
    from producer.pages.html_file import open_page

    with Darkroom(console=STDERR) as darkroom:
        drawn = darkroom.map(file, limit)
        if as_json:
            print_json(drawn.to_dict())
        else:
            of = f" of {drawn.of:,}" if drawn.of > drawn.points else ""
            pictures = f"{drawn.points:,}{of} pictures" if of else counted(drawn.points, "picture")
            print_line(f"{pictures} in {drawn.file}, {drawn.bytes / 1e6:.1f} MB.")
        if opened and not open_page(Path(drawn.file)):
            STDERR.print("No browser could be opened: open the page by hand.")


@click.command()
@click.argument("directory")
@click.option("--dry-run", is_flag=True, help="Show which files are gone and remove nothing.")
@click.option("--force", is_flag=True, help="Remove them also where DIRECTORY is away or empty, or most is gone.")
@paths_option
@print0_option
@as_json_option
def prune(directory: str, dry_run: bool, force: bool, paths: bool, zero: bool, as_json: bool) -> None:
    """Remove from the collection what is gone below DIRECTORY; pictures on disk are never touched.

    \b
    A folder that is not there or empty is refused, for that is how a disk looks that is not mounted.
    Example: python -m producer prune ~/Pictures --dry-run
    """
    require_one_form(paths or zero, as_json)
    from producer.client import Darkroom
    from producer.formatting import counted

    with Darkroom(console=STDERR) as darkroom:
        pruned = darkroom.prune(directory, dry_run=dry_run, force=force)
        if as_json:
            print_json(pruned.to_dict())
            return
        _print_uris(pruned.uris, paths, zero)
        done = "nothing is gone"
        if pruned.gone:
            done = f"{pruned.gone:,} gone, nothing was removed" if dry_run else f"{pruned.removed:,} removed"
        unsure = f" ({pruned.unsure:,} could not be looked at and were kept)" if pruned.unsure else ""
        looked_at = f"{counted(pruned.checked, 'file')} of the collection below {pruned.folder}"
        _print_result(f"{looked_at}: {done}{unsure}.", dry_run, paths or zero)


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--excluded", is_flag=True, help="Only what an ingest of SOURCE leaves out by now.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed and remove nothing.")
@paths_option
@print0_option
@as_json_option
def forget(source: str, excluded: bool, dry_run: bool, paths: bool, zero: bool, as_json: bool) -> None:
    """Remove from the collection what lies at or below SOURCE, be it there or not; pictures on disk are never touched.

    \b
    SOURCE is a folder, a picture, a .zip file or an address. The next ingest of a folder above takes its pictures in
    again, unless they are excluded (docs/library.md).
    Example: python -m producer forget ~/Pictures/Backup --dry-run
             python -m producer forget ~/Pictures --excluded
    """
    require_one_form(paths or zero, as_json)
    from producer.client import Darkroom
    from producer.formatting import counted

    with Darkroom(console=STDERR) as darkroom:
        forgotten = darkroom.forget(source, excluded=excluded, dry_run=dry_run)
        if as_json:
            print_json(forgotten.to_dict())
            return
        _print_uris(forgotten.uris, paths, zero)
        found = f"{counted(forgotten.points, 'picture')} of the collection at or below {forgotten.place}"
        _print_result(
            f"{found}: {'nothing was removed' if dry_run else f'{forgotten.removed:,} removed'}.",
            dry_run,
            paths or zero,
        )


def _print_result(sentence: str, dry_run: bool, paths: bool) -> None:
    """The sentence of what was done; of a dry run it is about the files that are listed."""
    print_note(sentence, paths) if dry_run else print_line(sentence)


def _print_uris(uris: Sequence[str], paths: bool, zero: bool) -> None:
    """The files that a dry run has found."""
    from producer.table import Column, file_cell, print_records

    if paths or zero:
        print_paths(uris, zero)
    else:
        print_records(STDOUT, [Column("file")], ([file_cell(uri)] for uri in uris), header=False)


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
    from producer.client import Darkroom
    from producer.collection.move import print_moved

    with Darkroom(console=STDERR) as darkroom:
        moved = darkroom.move(url)
        if as_json:
            print_json(moved.to_dict())
        else:
            print_moved(moved, darkroom.settings, STDOUT)
