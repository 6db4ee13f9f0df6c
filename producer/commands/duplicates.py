"""The command `duplicates`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.options import result_options
from producer.commands.output import STDERR, STDOUT, print_json

SHOWN = 100


@click.command()
@click.option(
    "--near",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SIMILARITY",
    help="Also pictures that only look the same: with at least this cosine similarity, like 0.95.",
)
@click.option(
    "-n", "--limit", type=click.IntRange(1), help=f"How many groups, the largest first. Default: {SHOWN}; JSON has all."
)
@result_options
def duplicates(
    near: float | None,
    limit: int | None,
    conditions: tuple[str, ...],
    html: Path | None,
    opened: bool,
    pictures: bool | None,
    as_json: bool,
) -> None:
    """Find the pictures that are there more than once, in groups: with the same bytes, or looking the same.

    \b
    Example: python -m producer duplicates
             python -m producer duplicates --near 0.95 --html duplicates.html --open
    """
    from producer.collection.duplicates import Duplicates, page_sections, print_duplicates, summary
    from producer.collection.duplicates import duplicates as run
    from producer.pages.html_file import wanted_page
    from producer.results import drawer
    from settings import load_settings

    page = wanted_page(html, opened)
    most = limit if limit is not None or as_json else SHOWN

    def report(found: Duplicates) -> None:
        answer: dict[str, Any] = {
            "near": near,
            "where": list(conditions),
            "points": found.points,
            "groups": [[row["uri"] for row in group] for group in found.groups],
        }
        if not as_json:
            print_duplicates(found, near, STDOUT, drawer(STDOUT, pictures))
        if page is not None:
            note = " · ".join([summary(found, near), *conditions])
            answer["html"] = str(page.make("Duplicates", note, page_sections(found), STDERR))
        if as_json:
            print_json(answer)

    run(near, conditions, most, load_settings(), STDERR, report)
