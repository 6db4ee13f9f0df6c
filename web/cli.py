"""The commands `web`, `mcp` and `token`."""

import json
from datetime import UTC, datetime

import click

from settings import load_settings
from settings.extras import require
from web.doors.tokens import SCOPES, Tokens

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--address", metavar="ADDRESS", help="Listen there instead of on web.address.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen on this port instead of web.port.")
@click.option("--open", "opened", is_flag=True, help="Show the gallery in the browser.")
@click.option("--of-stack", is_flag=True, hidden=True, help="Be a part of the stack: `up` starts it so.")
def web(address: str | None, port: int | None, opened: bool, of_stack: bool) -> None:
    """Serve the gallery and the HTTP interface until Ctrl-C.

    \b
    On this machine's own address it is open; on any other everybody needs a token.
    Example: darkroom web --open
    """
    require("fastapi", "web", "The gallery needs FastAPI")
    require("uvicorn", "web", "The gallery needs uvicorn")
    require("mcp", "web", "The gallery needs mcp")
    from web.server import serve

    serve(load_settings(), address, port, opened, of_stack)


@click.command()
def mcp() -> None:
    """Answer an agent on the standard input and output (Model Context Protocol): it can look, and change nothing.

    \b
    Example, in the settings of an agent: {"command": "darkroom", "args": ["mcp"]}
    """
    require("mcp", "web", "Agents need mcp")
    from web.server import serve_agent

    serve_agent(load_settings())


@click.group()
def token() -> None:
    """Make, list and revoke the tokens by which people and programs reach `darkroom web`."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="read: look and search; ingest: start and stop ingests as well; admin: everything. Default: read.",
)
@as_json_option
def create(name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a token called NAME and print it; it is kept as a hash, so it is shown this once.

    \b
    Example: darkroom token create phone
             darkroom token create importer --scope ingest
    """
    secret = _tokens().create(name, scopes or ("read",))
    click.echo(json.dumps({"name": name, "token": secret}) if as_json else secret)


@token.command(name="list")
@as_json_option
def list_(as_json: bool) -> None:
    """List the tokens: names, scopes, and when they were made.

    \b
    Example: darkroom token list
    """
    found = _tokens().all()
    if as_json:
        click.echo(json.dumps({"tokens": [each.to_dict() for each in found]}))
        return
    for each in found:
        made = datetime.fromtimestamp(each.created, UTC).strftime("%Y-%m-%d %H:%M")
        click.echo(f"{each.name}  {', '.join(each.scopes)}  {made}")
    if not found:
        click.echo("There are no tokens: `darkroom token create NAME` makes one.")


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make the token called NAME invalid, at once.

    \b
    Example: darkroom token revoke phone
    """
    _tokens().revoke(name)
    click.echo(f"The token {name!r} is revoked.")


def _tokens() -> Tokens:
    return Tokens(load_settings())
