"""The application: the interface, its description, the gallery, and the gate before all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from producer.client import Darkroom
from settings import Settings
from web.agents import agent_route, agent_server
from web.api import PREFIX, collection, events, health, jobs, maps, models, points, search
from web.doors.gate import Gate
from web.doors.hosts import is_open
from web.doors.limits import Rate
from web.gallery import pages
from web.problems import RESPONSES, handle_errors
from web.state import State

VERSION = "1.0.0"
# So often in a minute one client may try a token on the page that asks for it.
LOGINS = 10
THREADS = 128
STATIC = Path(__file__).parent / "gallery" / "static"
DESCRIPTION = """\
Everything that the commands of Darkroom can do, as calls. Errors are problem+json (RFC 9457): `detail` is the sentence
that a command would print. `where` takes conditions as `--where` does: `taken>=2024-06`, `camera=Canon*`.
"""


def _open_to_all(app: FastAPI) -> dict[str, Any]:
    """The description of a server that asks nobody for a token."""
    if app.openapi_schema is None:
        described = FastAPI.openapi(app)
        described.get("components", {}).pop("securitySchemes", None)
        for operations in described["paths"].values():
            for operation in operations.values():
                operation.pop("security", None)
    return FastAPI.openapi(app)


def create_app(settings: Settings, darkroom: Darkroom) -> FastAPI:
    """The application over a client that is attached to its stack."""
    state = State.of(settings, darkroom)
    agents = agent_server(state)

    @asynccontextmanager
    async def agents_are_answered(_app: FastAPI) -> AsyncIterator[None]:
        # Requests that wait for an answer of the stack hold a thread each, and must not hold up those that do not.
        current_default_thread_limiter().total_tokens = THREADS
        async with agents.session_manager.run():
            yield

    app = FastAPI(
        title="Darkroom",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        responses=RESPONSES,
        separate_input_output_schemas=False,
        lifespan=agents_are_answered,
    )
    if is_open(settings):
        app.openapi = partial(_open_to_all, app)  # type: ignore[method-assign]  # as FastAPI's own docs do it
    app.state.web = state
    app.state.logins = Rate(LOGINS)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(health.Counted)
    handle_errors(app)
    # `events` before `jobs`: else "events" would be the name of a job.
    for module in (search, points, models, collection, maps, events, jobs):
        app.include_router(module.router)
    app.include_router(health.router)
    app.include_router(pages.router, include_in_schema=False)
    app.router.routes.append(agent_route(agents))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
