"""Prints docs/commands.md, the help of every command: `make commands-page` writes it, a test holds it equal."""

from collections.abc import Iterator

import click

COLUMNS = 100
HEAD = """# Commands

This page is the help of every command: `make commands-page` prints it from the code, and a test holds the two equal. A
command of `python -m producer` or `python -m workers` stands below `darkroom` as well: `darkroom search` is
`python -m producer search`. Only `python -m workers ingest` has another name there, `darkroom ingest-worker`. How
commands end: [exit codes](operations.md#exit-codes).
"""


def programs() -> dict[str, click.Group]:
    """What a person types -> the commands behind it."""
    from darkroom.cli import cli as darkroom
    from producer.cli import cli as producer
    from workers.cli import cli as workers

    return {"darkroom": darkroom, "python -m producer": producer, "python -m workers": workers}


def context_of(program: str, group: click.Group) -> click.Context:
    """The context in which the commands of a program are shown: as that program shows them, at one width everywhere."""
    return click.Context(group, info_name=program, terminal_width=COLUMNS, **group.context_settings)


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(part for program, group in programs().items() for part in _parts(program, group))])


def _parts(program: str, group: click.Group) -> Iterator[str]:
    context = context_of(program, group)
    if program == "darkroom":
        # Its commands are those of the other two, so its own help is the table of contents.
        yield _part(f"## {program}", group, context)
        return
    yield f"## {program}\n"
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            yield _part(f"### {name}", command, click.Context(command, parent=context, info_name=name))


def _part(title: str, command: click.Command, context: click.Context) -> str:
    return f"{title}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
