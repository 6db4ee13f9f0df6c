"""The command `evaluate`."""

from pathlib import Path

import click

from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_note


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--captions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='JSON lines like {"file": "a.jpg", "caption": "a dog"}. Default: metadata.jsonl in DIRECTORY.',
)
@as_json_option
def evaluate(directory: Path, captions: Path | None, as_json: bool) -> None:
    """Measure how well the pictures of DIRECTORY are found by captions that people wrote, by each ranking.

    \b
    DIRECTORY must have been ingested. R@5 is the share of captions whose picture is among the first 5.
    Example: python -m producer evaluate ~/flickr --captions captions.jsonl
    """
    from producer.client import Darkroom
    from producer.search.evaluation import print_evaluation, summary

    with Darkroom(console=STDERR) as darkroom:
        found = darkroom.evaluate(directory, captions)
        if as_json:
            print_json(found.to_dict())
        else:
            print_evaluation(found, STDOUT)
            print_note(summary(found))
