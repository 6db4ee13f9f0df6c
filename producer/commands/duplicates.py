"""The command `duplicates`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.options import STDERR, STDOUT, ResultOptions, print_json, print_note, print_paths, result_options

SHOWN = 100
LINKAGES = ("complete", "average", "single")


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
@click.option(
    "--linkage",
    type=click.Choice(LINKAGES),
    default="complete",
    show_default=True,
    help="With --near: every pair of a group is that alike, or the pairs on average, or each picture to some other.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="RULE",
    help="Which one comes first: largest, oldest, format (RAW before JPEG) or a folder that is preferred. May be given "
    "several times; the first rule counts most. With --list-others and --move-to: largest, then oldest.",
)
@click.option("--list-others", is_flag=True, help="Print the paths of all but the first of each group.")
@click.option(
    "--move-to", type=click.Path(path_type=Path), metavar="DIR", help="Move all but the first of each group below DIR."
)
@click.option("--bursts", is_flag=True, help="Pictures of one burst are others as well: they are left out else.")
@click.option("--dry-run", is_flag=True, help="With --move-to: show what would be moved and move nothing.")
@click.option("--undo", "undo_list", type=click.Path(path_type=Path), metavar="FILE", help="Move back what FILE lists.")
@result_options
def duplicates(
    near: float | None,
    limit: int | None,
    linkage: str,
    keep: tuple[str, ...],
    list_others: bool,
    move_to: Path | None,
    bursts: bool,
    dry_run: bool,
    undo_list: Path | None,
    options: ResultOptions,
) -> None:
    """Find the pictures that are there more than once, in groups: with the same bytes, or looking the same.

    \b
    Files are moved by --move-to alone, and the list that it writes moves them back.
    Example: python -m producer duplicates
             python -m producer duplicates --near 0.95 --html duplicates.html --open
             python -m producer duplicates --keep ~/Pictures/Best --keep largest --list-others -0 | xargs -0 ls -l
             python -m producer duplicates --move-to ~/Others --dry-run
    """
    if dry_run and move_to is None:
        raise click.UsageError("--dry-run is for --move-to.")
    if undo_list is not None or move_to is not None or list_others:
        from producer.commands.others import list_or_move, move_back

        if undo_list is not None:
            move_back(undo_list, options)
        else:
            rules = keep or ("largest", "oldest")
            list_or_move(near, limit, linkage, rules, move_to, bursts, dry_run, options)
        return
    from producer.client import Darkroom
    from producer.collection.duplicates.search import page_sections, print_duplicates, rest, summary
    from producer.commands.results import drawer
    from producer.pages.html_file import wanted_page

    page = wanted_page(options.html, options.opened)
    most = limit if limit is not None or options.as_json else SHOWN
    with Darkroom(console=STDERR) as darkroom:
        result = darkroom.duplicates(near, where=options.conditions, limit=most, linkage=linkage, keep=keep)
        answer: dict[str, Any] = {
            "near": near,
            "where": list(options.conditions),
            "points": result.points,
            "groups": [group.to_dicts() for group in result.groups],
        }
        if not options.as_json:
            print_note(summary(result, near), options.paths_alone)
            if options.paths_alone:
                print_paths((picture.uri for group in result.groups for picture in group), options.zero)
            else:
                print_duplicates(result, near, STDOUT, drawer(STDOUT, options.pictures))
            if left := rest(result):
                print_note(left, options.paths_alone)
        if page is not None:
            note = " · ".join([summary(result, near), *options.conditions])
            answer["html"] = str(page.make("Duplicates", note, page_sections(result), STDERR))
        if options.as_json:
            print_json(answer)
