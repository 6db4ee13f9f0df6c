"""Serves the application until a signal: only where its door is shut well enough."""

import signal
import socket
import webbrowser

import click
import uvicorn
from rich.console import Console

from producer.client import Darkroom
from settings import Settings
from settings.errors import ServiceMissing, WrongUse
from settings.listening import family, reason, url
from web.agents import agent_server
from web.app import create_app
from web.doors.hosts import is_open
from web.doors.tokens import Tokens
from web.state import State

# Streams of events stay open for ever, and need not be waited for.
LEAVE_SECONDS = 2
BACKLOG = 128


def serve(
    settings: Settings,
    address: str | None = None,
    port: int | None = None,
    opened: bool = False,
    of_stack: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM; with `of_stack` as a part of a stack that stays, which it does not hold up.

    Raises WrongUse where everybody could come in, ServiceMissing where nothing can listen there or the stack is away.
    """
    given = {name: value for name, value in (("address", address), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"web": settings.web.model_copy(update=given)})
    require_door(settings)
    with listening(settings) as listener, Darkroom(console=Console(stderr=True), of_stack=of_stack) as darkroom:
        darkroom.status()  # now, so that what is missing ends the command
        app = create_app(settings, darkroom)
        config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=LEAVE_SECONDS)
        at = url(settings.web.address, settings.web.port)
        click.echo(f"Darkroom is at {at} (Ctrl-C ends it).", err=True)
        if opened:
            webbrowser.open(at)
        # What uvicorn raises again after its end must end this block as Ctrl-C does, not the process.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            return


def serve_agent(settings: Settings) -> None:
    """Answer on the standard input and output until they are closed; raises ServiceMissing where the stack is away."""
    with Darkroom(console=Console(stderr=True)) as darkroom:
        darkroom.status()  # now, so that what is missing ends the command
        agent_server(State.of(settings, darkroom)).run("stdio")


def require_door(settings: Settings) -> None:
    """Raise WrongUse where other machines could come in and there is no token to keep them out."""
    if not is_open(settings) and not Tokens(settings).all():
        where = f"web.address {settings.web.address}" if not settings.web.hosts else "a server with names in web.hosts"
        raise WrongUse(f"{where} is open to other machines: make a token first with `darkroom token create NAME`.")


def listening(settings: Settings) -> socket.socket:
    """A socket that listens on the address and port of [web]; raises ServiceMissing where none can."""
    address, port = settings.web.address, settings.web.port
    try:
        listener = socket.create_server((address, port), family=family(address), backlog=BACKLOG)
    except OSError as error:
        raise ServiceMissing(
            f"The gallery cannot listen on {address}, port {port} ({reason(error)}): "
            "free the port or choose another by web.port."
        ) from None
    # asyncio does it for sockets that name their protocol, which this one does not. Without it the end of an answer
    # waits for the client to acknowledge its beginning: 40 ms on Linux.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
