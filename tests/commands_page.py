"""Writes docs/commands.md from the commands themselves: every command, argument and option, with its help.

python -m tests.commands_page      # or: make commands-page
"""

import inspect
from collections.abc import Iterator

import click

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "commands.md"
HEAD = """\
# Commands

Every command with its arguments and options. `make commands-page` writes this page from the code, and a test holds the
two equal. Every command takes `-h` and `--help` as well. Exit codes: [operations.md](operations.md#exit-codes).
"""


def groups() -> dict[str, click.Group]:
    """What a person types -> the commands below it."""
    from darkroom.cli import cli as darkroom
    from producer.cli import cli as producer
    from workers.cli import cli as workers

    return {"python -m producer": producer, "python -m workers": workers, "darkroom": darkroom}


def commands(group: click.Group) -> dict[str, click.Command]:
    """Name -> command, sorted by the names; those below another one (`models pull`) follow it."""
    context = click.Context(group)
    found = {}
    for name in sorted(group.list_commands(context)):
        if (command := group.get_command(context, name)) is not None:
            found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {below}": each for below, each in commands(command).items()}
    return found


def page() -> str:
    """The whole text of docs/commands.md."""
    known: dict[click.Command, str] = {}
    parts = [HEAD]
    for start, group in groups().items():
        parts += [f"## {start}\n", *_text(group), *_parameters(group)]
        again = []
        for name, command in commands(group).items():
            if command in known:
                again.append(f"| `{start} {name}` | `{known[command]}` |")
            else:
                known[command] = f"{start} {name}"
                parts += [f"### {_usage(start, name, command)}\n", *_text(command), *_parameters(command)]
        if again:
            parts.append("\n".join(["| command | the same as |", "|---|---|", *again]) + "\n")
    return "\n".join(parts)


def _usage(start: str, name: str, command: click.Command) -> str:
    return " ".join([start, name, *(_value(each) for each in command.params if isinstance(each, click.Argument))])


def _text(command: click.Command) -> Iterator[str]:
    """The help in paragraphs; those that click would not wrap keep their lines."""
    if command.hidden:
        yield "For Darkroom itself, which starts it: `--help` does not list it.\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        kept = paragraph.startswith("\b\n")
        lines = paragraph.removeprefix("\b\n").splitlines()
        yield "\n".join(f"    {line}" for line in lines) + "\n" if kept else " ".join(lines) + "\n"


def _parameters(command: click.Command) -> Iterator[str]:
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if options:
        rows = [f"| {_names(option)} | {_help(option)} |" for option in options]
        yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {_value(option)}"
    names = [f"`{name}{value}`" for name in sorted(option.opts, key=len)]
    return ", ".join([*names, *(f"`{name}`" for name in option.secondary_opts)]).replace("|", "\\|")


def _value(parameter: click.Parameter) -> str:
    """What stands for the value, as TEXT or FILE."""
    if parameter.metavar:
        return parameter.metavar
    if isinstance(parameter, click.Argument):
        name = (parameter.name or "").upper()
        return name if parameter.required else f"[{name}]"
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    is_number = isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType)
    return "NUMBER" if is_number else parameter.type.name.upper()


def _help(option: click.Option) -> str:
    """The help, then what may be given and what is taken without it."""
    facts = []
    if isinstance(option.type, click.IntRange | click.FloatRange):
        low, high = option.type.min, option.type.max
        above = "above" if option.type.min_open else "from"
        facts.append(f"{above} {low:,}" + ("" if high is None else f" to {high:,}"))
    if option.show_default:
        facts.append(
            f"default {option.default:,}" if isinstance(option.default, int | float) else f"default {option.default}"
        )
    facts += ["required"] if option.required else []
    text = option.help or ""
    return (text + (f" ({', '.join(facts)})" if facts else "")).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
