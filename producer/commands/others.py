"""What `duplicates` does with the pictures that are not to be kept: it lists them, moves them, and moves them back."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from producer.commands.options import STDERR, STDOUT, ResultOptions, print_json, print_line, print_note, print_paths
from producer.table import Cell, Column, print_records

if TYPE_CHECKING:
    from producer.collection.duplicates.others import Movement


def list_or_move(
    near: float | None,
    limit: int | None,
    linkage: str,
    keep: Sequence[str],
    folder: Path | None,
    bursts: bool,
    dry_run: bool,
    options: ResultOptions,
) -> None:
    """Print the paths of all but the first of each group, or move these below `folder`."""
    from producer.client import Darkroom
    from producer.collection.duplicates.others import others

    with Darkroom(console=STDERR) as darkroom:
        found = darkroom.duplicates(near, where=options.conditions, limit=limit, linkage=linkage, keep=keep)
        if folder is None:
            pairs = others(found, bursts)
            if options.as_json:
                print_json({"others": [{**each.to_dict(), "kept": kept.uri} for each, kept in pairs]})
            else:
                print_paths((each.uri for each, _ in pairs), options.zero)
            return
        movement = darkroom.move_others(found, folder, bursts=bursts, dry_run=dry_run)
    _print(movement, dry_run, options)


def move_back(list_file: Path, options: ResultOptions) -> None:
    """Move back what a list names."""
    from producer.collection.duplicates.others import undo

    _print(undo(list_file), False, options)


def _print(movement: "Movement", dry_run: bool, options: ResultOptions) -> None:
    from producer.collection.duplicates.others import summary

    if options.as_json:
        print_json({**movement.to_dict(), "dry_run": dry_run})
        return
    rows = [[Cell(old), Cell(new)] for old, new in movement.moved]
    print_records(STDOUT, (Column("from"), Column("to")), rows)
    for path, reason in movement.left:
        print_note(f"{path} stays: {reason}.", paths=True)
    print_note(summary(movement, dry_run)) if dry_run else print_line(summary(movement, dry_run))
