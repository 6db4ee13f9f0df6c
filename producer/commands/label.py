"""The command `label`."""

import click

from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_note, where_option


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--min-score",
    default="auto",
    show_default=True,
    metavar="SCORE",
    help="How alike picture and name must be: a number like 0.25, or auto for what unrelated pairs hardly ever reach.",
)
@click.option("--most", default=3, show_default=True, type=click.IntRange(1, 100), help="How many names for a picture.")
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="TEXT",
    help='Instead of the usual ones: a text with {} for the name, like "a scan of {}". May be given several times.',
)
@where_option
@click.option("--dry-run", is_flag=True, help="Count alone and write nothing.")
@as_json_option
def label(
    names: tuple[str, ...],
    min_score: str,
    most: int,
    templates: tuple[str, ...],
    conditions: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Note which of NAMES each picture shows: "cat, dog, receipt", or a file with them, one a line.

    \b
    The stored embeddings are compared, so it takes seconds. Then --where concept=receipt finds them. Do it again after
    an ingest: new pictures have none yet.
    Example: python -m producer label "cat, dog, receipt, screenshot"
    """
    from producer.client import Darkroom
    from producer.collection.concepts import summary
    from producer.table import Cell, Column, count_cell, print_records

    with Darkroom(console=STDERR) as darkroom:
        found = darkroom.label(
            " ".join(names),
            where=conditions,
            min_score=min_score,
            most=most,
            templates=templates or None,
            dry_run=dry_run,
        )
        if as_json:
            print_json(found.to_dict())
            return
        counts = sorted(found.counts.items(), key=lambda item: -item[1])
        columns = (Column("pictures", is_number=True), Column("concept"))
        print_records(STDOUT, columns, ([count_cell(count), Cell(name)] for name, count in counts))
        print_note(summary(found, dry_run))
