"""The command `search`."""

from typing import Any

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.argument("text")
@click.option("-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many results.")
@as_json_option
def search(text: str, limit: int, as_json: bool) -> None:
    """Find the pictures that look most like TEXT.

    \b
    Example: python -m producer search "a dog on a beach" -n 5
    """
    from producer.search import print_results
    from producer.search import search as run
    from settings import load_settings

    def report(results: list[dict[str, Any]]) -> None:
        if as_json:
            print_json({"query": text, "results": results})
        else:
            print_results(results, STDOUT)

    run(text, limit, load_settings(), report)
