"""The command `duplicates`."""

from typing import Any

import click

from producer.commands.options import STDERR, STDOUT, ResultOptions, print_json, result_options

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
def duplicates(near: float | None, limit: int | None, options: ResultOptions) -> None:
    """Find the pictures that are there more than once, in groups: with the same bytes, or looking the same.

    \b
    Example: python -m producer duplicates
             python -m producer duplicates --near 0.95 --html duplicates.html --open
    """
    from producer.client import Darkroom
    from producer.collection.duplicates import page_sections, print_duplicates, summary
    from producer.pages.html_file import wanted_page
    from producer.results import drawer

    page = wanted_page(options.html, options.opened)
    most = limit if limit is not None or options.as_json else SHOWN
    with Darkroom(console=STDERR) as darkroom:
        result = darkroom.duplicates(near, where=options.conditions, limit=most)
        answer: dict[str, Any] = {
            "near": near,
            "where": list(options.conditions),
            "points": result.points,
            "groups": [[picture.uri for picture in group] for group in result.groups],
        }
        if not options.as_json:
            print_duplicates(result, near, STDOUT, drawer(STDOUT, options.pictures))
        if page is not None:
            note = " · ".join([summary(result, near), *options.conditions])
            answer["html"] = str(page.make("Duplicates", note, page_sections(result), STDERR))
        if options.as_json:
            print_json(answer)
