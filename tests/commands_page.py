"""Prints docs/commands.md from the commands themselves: `make commands-page` writes it, a test holds it equal."""

from collections.abc import Iterator
from inspect import cleandoc

import click

HEAD = """# Commands

This page is made from the commands by `make commands-page`. What is below `python -m producer` and `python -m workers`
stands below `darkroom` as well, where the worker that ingests for other programs is called `ingest-worker`. Each
command takes `-h` or `--help`; `darkroom --version` says the release.
"""


def groups() -> dict[str, click.Group]:
    """Program -> its commands."""
    from producer.cli import cli as producer
    from workers.cli import cli as workers

    return {"python -m producer": producer, "python -m workers": workers}


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{part}\n" for program, group in groups().items() for part in _program(program, group))


def _program(program: str, group: click.Group) -> Iterator[str]:
    yield f"## {program}\n\n{_text(group)}"
    yield from _table(group.params)
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            yield f"### {program} {name}{_arguments(command)}\n\n{_text(command)}"
            yield from _table(command.params)


def _text(command: click.Command) -> str:
    """The help: paragraphs as they are, examples (behind click's mark against wrapping) as a block."""
    paragraphs = []
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            paragraphs.append("\n".join(f"    {line}" for line in paragraph.removeprefix("\b\n").splitlines()))
        else:
            paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def _arguments(command: click.Command) -> str:
    return "".join(
        f" {parameter.make_metavar(click.Context(command))}"
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    )


def _table(parameters: list[click.Parameter]) -> Iterator[str]:
    rows = [_row(option) for option in parameters if isinstance(option, click.Option) and not option.hidden]
    if rows:
        yield "\n".join(["| option | meaning |", "|---|---|", *rows])


def _row(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    default = f" Default: {option.default}." if option.show_default and option.default is not None else ""
    text = f"{option.help or ''}{default}".replace("|", "\\|")
    return f"| `{names}{value}` | {text} |"


if __name__ == "__main__":
    print(page(), end="")
