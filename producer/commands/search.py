"""The commands `search` and `similar`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.commands.options import STDERR, STDOUT, ResultOptions, print_json, result_options

if TYPE_CHECKING:
    from producer.collection.search import SearchResult
    from producer.pages.html_file import HtmlPage

limit_option = click.option(
    "-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many results."
)


@click.command()
@click.argument("words", nargs=-1, metavar="[TEXT]")
@click.option("--image", type=click.Path(path_type=Path), metavar="FILE", help="Search by this picture, not by words.")
@limit_option
@result_options
def search(words: tuple[str, ...], image: Path | None, limit: int, options: ResultOptions) -> None:
    """Find the pictures that look most like TEXT or like a picture, by facts alone where neither is given.

    TEXT needs no quotes.

    \b
    Example: python -m producer search a dog on a beach -n 5
             python -m producer search a dog --where "taken>=2024-06" --where "camera=Canon*"
             python -m producer search --image dog.jpg --html dogs.html --open
    """
    text = " ".join(words) if words else None
    if text is not None and image is not None:
        raise click.UsageError("Give words or --image FILE, not both.")
    if text is None and image is None and not options.conditions:
        raise click.UsageError("Say what to search for: words, --image FILE or --where CONDITION.")
    from producer.client import Darkroom
    from producer.pages.html_file import wanted_page

    page = wanted_page(options.html, options.opened)
    with Darkroom(console=STDERR) as darkroom:
        result = darkroom.search(text, image=image, where=options.conditions, limit=limit)
        query = {"query": text} if result.picture is None else {"image": result.picture.uri}
        _show(result, query, text or "Pictures", page, options)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@limit_option
@click.option("--copies", is_flag=True, help="List byte-identical copies of FILE as well.")
@result_options
def similar(file: Path, limit: int, copies: bool, options: ResultOptions) -> None:
    """Find the pictures that look most like FILE, which need not be in the collection; FILE itself is never listed.

    \b
    Example: python -m producer similar ~/Pictures/dog.jpg -n 5
    """
    from producer.client import Darkroom
    from producer.pages.html_file import wanted_page

    page = wanted_page(options.html, options.opened)
    with Darkroom(console=STDERR) as darkroom:
        result = darkroom.similar(file, where=options.conditions, limit=limit, copies=copies)
        assert result.picture is not None
        _show(result, {"file": result.picture.uri}, "", page, options)


def _show(
    result: "SearchResult", query: dict[str, Any], title: str, page: "HtmlPage | None", options: ResultOptions
) -> None:
    """Print the results, and make the page of them that was asked for."""
    from producer.results import drawer, page_note, page_sections, print_results

    answer: dict[str, Any] = {**query, "where": list(options.conditions), "results": result.to_dicts()}
    if not options.as_json:
        print_results(result.to_dicts(), options.conditions, STDOUT, drawer(STDOUT, options.pictures))
    if page is not None:
        title = f"Pictures like {result.picture.path.name}" if result.picture else title
        note = page_note(len(result), options.conditions)
        answer["html"] = str(page.make(title, note, page_sections(result), STDERR))
    if options.as_json:
        print_json(answer)
