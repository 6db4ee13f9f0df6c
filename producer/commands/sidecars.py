"""The command `sidecars`."""

import click

from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_line, print_note, where_option


@click.command()
@click.argument("directory")
@where_option
@click.option("--write", is_flag=True, help="Write them; else they are only listed.")
@click.option(
    "--replace-extension",
    is_flag=True,
    help="Call new ones IMG.xmp as Lightroom does for RAW files, not IMG.jpg.xmp as digiKam and darktable do.",
)
@as_json_option
def sidecars(directory: str, conditions: tuple[str, ...], write: bool, replace_extension: bool, as_json: bool) -> None:
    """Write captions, concepts and places of the pictures below DIRECTORY into .xmp files beside them.

    \b
    Pictures are never touched, and in a sidecar that is there only what Darkroom itself has written is changed.
    Example: python -m producer sidecars ~/Pictures
             python -m producer sidecars ~/Pictures --write
    """
    from producer.client import Darkroom
    from producer.collection.sidecars import summary
    from producer.table import Column, file_cell, print_records

    with Darkroom(console=STDERR) as darkroom:
        written = darkroom.write_sidecars(directory, where=conditions, write=write, replace_extension=replace_extension)
    if as_json:
        print_json({**written.to_dict(), "written": write})
        return
    print_records(STDOUT, [Column("file")], ([file_cell(_uri(file))] for file in written.files), header=False)
    for path, reason in written.left:
        print_note(f"{path} gets none: {reason}.", paths=True)
    print_line(summary(written, write)) if write else print_note(summary(written, write))


def _uri(file: str) -> str:
    import os

    from pictures.uris import uri_of

    return uri_of(os.fsencode(file))
