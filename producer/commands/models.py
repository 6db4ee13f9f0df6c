"""The commands `embed` and `caption`: what the models say of texts and pictures that need not be in the collection."""

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pictures.uris import uri_of
from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_line
from producer.table import Cell, Column, file_cell, print_records
from settings.errors import WrongUse

FAILED = 1
COLUMNS = (Column("caption"), Column("file"))
files_argument = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--image", "images", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="This picture instead."
)
@as_json_option
def embed(texts: tuple[str, ...], images: tuple[Path, ...], as_json: bool) -> None:
    """Print the embedding of each TEXT, or of each picture: numbers on a line of its own, of length one together.

    \b
    Example: python -m producer embed "a dog on a beach" "a cat"
             python -m producer embed --image dog.jpg --json
    """
    if bool(texts) == bool(images):
        raise WrongUse("Say what to embed: texts, or pictures by --image.")
    from producer.client import Darkroom

    with Darkroom(console=STDERR) as darkroom:
        made = darkroom.embed(list(texts) or None, images=_contents(images) if images else None)
    vectors = [None if row is None else struct.unpack(f"<{made.dim}f", row) for row in made.vectors]
    if as_json:
        print_json({"model": made.model, "dim": made.dim, "vectors": vectors, "errors": made.errors})
    else:
        for vector in vectors:
            print_line("" if vector is None else " ".join(f"{number:.7g}" for number in vector))
    _tell_errors(made.errors, images)


@click.command()
@files_argument
@as_json_option
def caption(files: tuple[Path, ...], as_json: bool) -> None:
    """Print a caption for each picture, and its path after a tab; the pictures need not be in the collection.

    \b
    Example: python -m producer caption dog.jpg cat.jpg
    """
    from producer.client import Darkroom

    with Darkroom(console=STDERR) as darkroom:
        made = darkroom.caption(_contents(files))
    if as_json:
        print_json(made.to_dict())
    else:
        said = zip(files, made.captions, strict=True)
        rows = ([Cell(text), _cell_of(path)] for path, text in said if text is not None)
        print_records(STDOUT, COLUMNS, rows)
    _tell_errors(made.errors, files)


def _cell_of(path: Path) -> Cell:
    return file_cell(uri_of(os.fsencode(os.path.abspath(path))))


def _contents(files: Sequence[Path]) -> list[bytes]:
    contents = []
    for path in files:
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            raise WrongUse(f"{path} cannot be read: {error.strerror}.") from None
    return contents


def _tell_errors(errors: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> None:
    """Say which pictures could not be used, and why; the exit code is then 1."""
    for error in errors:
        click.echo(f"{files[error['index']]}: {error['reason']}", err=True)
    if errors:
        raise SystemExit(FAILED)
