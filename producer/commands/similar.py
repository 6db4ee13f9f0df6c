"""The command `similar`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.options import result_options
from producer.commands.output import STDERR, STDOUT, print_json


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many results.")
@click.option("--copies", is_flag=True, help="List byte-identical copies of FILE as well.")
@result_options
def similar(
    file: Path,
    limit: int,
    copies: bool,
    conditions: tuple[str, ...],
    html: Path | None,
    opened: bool,
    pictures: bool | None,
    as_json: bool,
) -> None:
    """Find the pictures that look most like FILE, which need not be in the collection; FILE itself is never listed.

    \b
    Example: python -m producer similar ~/Pictures/dog.jpg -n 5
    """
    from producer.collection.search import Found
    from producer.collection.search import similar as run
    from producer.pages.html_file import wanted_page
    from producer.results import drawer, page_note, page_sections, print_results
    from settings import load_settings

    page = wanted_page(html, opened)

    def report(found: Found) -> None:
        assert found.picture is not None
        answer: dict[str, Any] = {"file": found.picture.uri, "where": list(conditions), "results": found.rows}
        if not as_json:
            print_results(found.rows, conditions, STDOUT, drawer(STDOUT, pictures))
        if page is not None:
            title, note = f"Pictures like {found.picture.path.name}", page_note(len(found.rows), conditions)
            answer["html"] = str(page.make(title, note, page_sections(found), STDERR))
        if as_json:
            print_json(answer)

    run(file, conditions, limit, copies, load_settings(), report)
