"""The command `search`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.options import result_options
from producer.commands.output import STDERR, STDOUT, print_json


@click.command()
@click.argument("text", required=False)
@click.option("--image", type=click.Path(path_type=Path), metavar="FILE", help="Search by this picture, not by words.")
@click.option("-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many results.")
@result_options
def search(
    text: str | None,
    image: Path | None,
    limit: int,
    conditions: tuple[str, ...],
    html: Path | None,
    opened: bool,
    pictures: bool | None,
    as_json: bool,
) -> None:
    """Find the pictures that look most like TEXT or like a picture, by facts alone where neither is given.

    \b
    Example: python -m producer search "a dog on a beach" -n 5
             python -m producer search "a dog" --where "taken>=2024-06" --where "camera=Canon*"
             python -m producer search --image dog.jpg --html dogs.html --open
    """
    if text is not None and image is not None:
        raise click.UsageError("Give words or --image FILE, not both.")
    if text is None and image is None and not conditions:
        raise click.UsageError("Say what to search for: words, --image FILE or --where CONDITION.")

    from producer.collection.search import Found, Query
    from producer.collection.search import search as run
    from producer.pages.html_file import wanted_page
    from producer.results import drawer, page_note, page_sections, print_results
    from settings import load_settings

    page = wanted_page(html, opened)

    def report(found: Found) -> None:
        about = {"query": text} if found.picture is None else {"image": found.picture.uri}
        answer: dict[str, Any] = {**about, "where": list(conditions), "results": found.rows}
        if not as_json:
            print_results(found.rows, conditions, STDOUT, drawer(STDOUT, pictures))
        if page is not None:
            title = f"Pictures like {found.picture.path.name}" if found.picture else text or "Pictures"
            note = page_note(len(found.rows), conditions)
            answer["html"] = str(page.make(title, note, page_sections(found), STDERR))
        if as_json:
            print_json(answer)

    run(Query(text, image, conditions, limit), load_settings(), report)
