"""The command `models`: which checkpoints there are, and `models pull`, which fetches one."""

import importlib.util
import json

import click

from settings import load_settings
from settings.errors import ServiceMissing, WrongUse
from settings.extras import install_hint
from tasks.checkpoint import looks_like_a_folder, null_model


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List checkpoints that Darkroom can load: size, languages, whether they are on this machine, speed here.

    \b
    A star marks those that the settings name. The speed is that of the last ingests here, in pictures a second.
    Example: darkroom models
             darkroom models pull
    """
    if context.invoked_subcommand is not None:
        return
    _require_client()
    from workers.checkpoints.listing import listed

    rows = listed(load_settings())
    if as_json:
        click.echo(json.dumps({"models": [row.as_json() for row in rows]}))
        return
    width = max(len(row.name) for row in rows)
    for row in rows:
        click.echo(row.line(width))


@models.command()
@click.argument("name", required=False)
def pull(name: str | None) -> None:
    """Download the checkpoint NAME; by default those that the settings name and that are not on this machine.

    \b
    Example: darkroom models pull openai/clip-vit-large-patch14
    Exit code: 0 it is on this machine, 2 it is no checkpoint for Darkroom, 3 the hub cannot be reached.
    """
    _require_client()
    from workers.checkpoints.hub import is_here, pull_checkpoint

    for wanted in [name] if name is not None else _set_ones():
        if looks_like_a_folder(wanted):
            if name is not None:
                raise WrongUse(f"{wanted} is a folder: name a checkpoint of the Hugging Face hub, such as openai/....")
            click.echo(f"{wanted} is a folder of this machine.")
        elif is_here(wanted):
            click.echo(f"{wanted} is on this machine.")
        else:
            pull_checkpoint(wanted)
            click.echo(f"{wanted} is on this machine now.")


def _set_ones() -> list[str]:
    set_ones = load_settings().models
    names = [set_ones.clip, set_ones.blip] if set_ones.captions else [set_ones.clip]
    return [name for name in names if null_model(name) is None]


def _require_client() -> None:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise ServiceMissing(f"huggingface_hub is not installed: run {install_hint('gpu')}.")
