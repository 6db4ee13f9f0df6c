"""The commands `search` and `similar`."""

from pathlib import Path
from typing import Any, TextIO

import click

from producer.commands.answers import show, show_answers
from producer.commands.options import STDERR, ResultOptions, result_options

RANKINGS = ("both", "meaning", "words")

limit_option = click.option(
    "-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many results."
)


@click.command()
@click.argument("words", nargs=-1, metavar="[TEXT]")
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Search by this picture, or by several and by TEXT together. May be given several times.",
)
@click.option(
    "--like",
    multiple=True,
    metavar="ID",
    help="The same by a picture of the collection: its id, its path or its address.",
)
@click.option(
    "--by",
    type=click.Choice(RANKINGS),
    default="both",
    show_default=True,
    help="Rank by what pictures look like, by the words of their captions, titles, keywords and names, or by both.",
)
@click.option(
    "--min-score",
    metavar="SCORE",
    help="Leave out what is less alike: a number like 0.25, or auto for what unrelated pictures hardly ever reach.",
)
@click.option(
    "--queries",
    type=click.File("r"),
    metavar="FILE",
    help="Answer each line of FILE instead of TEXT, all in one go; - is the standard input.",
)
@limit_option
@click.option("--offset", default=0, type=click.IntRange(0, 1_000_000), help="Leave out so many results before them.")
@click.option(
    "--sort",
    metavar="ORDER",
    help="taken (oldest first), name, bytes (smallest first) or score (most alike first); -taken is the reverse. "
    "With words or a picture the order is that of the results, else that of all pictures that fit.",
)
@result_options
def search(
    words: tuple[str, ...],
    images: tuple[Path, ...],
    like: tuple[str, ...],
    by: str,
    min_score: str | None,
    queries: TextIO | None,
    limit: int,
    offset: int,
    sort: str | None,
    options: ResultOptions,
) -> None:
    """Find the pictures that fit TEXT best, or a picture, or both; by facts alone where neither is given.

    TEXT needs no quotes. It may have several terms: dog + beach - people, 2:dog + snow, ./pool.jpg + night.

    \b
    Example: python -m producer search a dog on a beach -n 5
             python -m producer search a dog --where "taken>=2024-06" --where "camera=Canon*"
             python -m producer search beach + dog - people --min-score auto
             python -m producer search --image dog.jpg --html dogs.html --open
             python -m producer search --where taken=2024 --sort taken -n 100 --offset 100
             python -m producer search a dog -0 | xargs -0 cp -t ~/dogs
    """
    text = " ".join(words) if words else None
    if queries is not None and (text or images or like or offset or sort):
        raise click.UsageError("--queries asks what its lines say: give no TEXT, --image, --like, --sort or --offset.")
    if text is None and not (images or like or options.conditions or queries):
        raise click.UsageError("Say what to search for: words, --image FILE or --where CONDITION.")
    from producer.client import Darkroom
    from producer.pages.html_file import wanted_page

    page = wanted_page(options.html, options.opened)
    with Darkroom(console=STDERR) as darkroom:
        if queries is not None:
            texts = [line.strip() for line in queries if line.strip()]
            found = darkroom.search_all(texts, where=options.conditions, limit=limit, by=by, min_score=min_score)
            show_answers(texts, found, page, options)
            return
        result = darkroom.search(
            text,
            image=images,
            like=like,
            where=options.conditions,
            limit=limit,
            sort=sort,
            offset=offset,
            by=by,
            min_score=min_score,
        )
        query: dict[str, Any] = {} if text is None and (images or like) else {"query": text}
        if result.picture is not None:
            query["image"] = result.picture.uri
        elif images:
            query["images"] = [str(image) for image in images]
        show(result, query, text or "Pictures", page, options)


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
        show(result, {"file": result.picture.uri}, "", page, options)
