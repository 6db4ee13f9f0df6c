"""What agents may ask by the Model Context Protocol: tools that look, and none that changes anything."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import Field
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pictures.paths import NotAllowed
from pictures.thumbnails import THUMBNAIL
from producer.records import Picture, Records
from producer.search.query import By
from producer.search.search import SearchResult
from settings.errors import DarkroomError
from web.api.answers import hit, hit_of
from web.problems import problem
from web.state import State

F = TypeVar("F", bound=Callable[..., Any])
PATH = "/mcp"
INSTRUCTIONS = """\
A collection of pictures. `search` finds some by words or by facts, `similar` by a picture, each with an id; `picture`
shows one. Conditions are texts like "taken>=2024-06", "camera=Canon*" or "format=JPEG", and all of them must hold.
"""
Conditions = Annotated[list[str], Field(description='Conditions that must all hold, like "taken>=2024-06".')]
Like = Annotated[list[str], Field(description="Ids of pictures that the results look like as well.")]
Most = Annotated[int, Field(ge=1, le=100, description="How many at most.")]


def agent_server(state: State) -> MCPServer:
    """The tools over a client that is attached to its stack."""
    server = MCPServer("darkroom", title="Darkroom", instructions=INSTRUCTIONS, log_level="WARNING")

    def tool(function: F) -> F:
        @functools.wraps(function)
        def told(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except (DarkroomError, NotAllowed) as error:
                raise ToolError(str(error)) from None

        looks = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        server.tool(annotations=looks, structured_output=False)(told)
        return function

    def hits(found: SearchResult | Records[Picture]) -> list[dict[str, Any]]:
        return [hit_of(picture, state).model_dump(exclude_none=True) for picture in found]

    @tool
    def search(
        text: str = "",
        where: Conditions = [],  # noqa: B006  # shown as default
        like: Like = [],  # noqa: B006  # shown as default
        by: By = "both",
        min_score: float | Literal["auto"] | None = None,
        limit: Most = 10,
    ) -> list[dict[str, Any]]:
        """The pictures that fit words best; without words those that the conditions fit.

        Words may be several terms with signs and weights: "beach + 2:dog - people". `by` ranks by what pictures look
        like ("meaning"), by the words of captions, titles, keywords and names ("words"), or by both. With `min_score`
        "auto" an empty answer means that nothing fits.
        """
        return hits(
            state.darkroom.search(
                text or None, like=like, where=where, by=by, min_score=min_score, limit=limit, files=False
            )
        )

    @tool
    def similar(id: str, where: Conditions = [], limit: Most = 10) -> list[dict[str, Any]]:  # noqa: B006  # shown as default
        """The pictures that look most like a picture of the collection, best first."""
        return hits(state.darkroom.similar_to(id, where=where, limit=limit))

    @tool
    def picture(id: str) -> list[Any]:
        """All that is known of a picture, and the picture itself in 256 pixels where its file can be read."""
        payload = state.darkroom.point(id).payload
        facts = hit(payload, id, None, state).model_dump(exclude_none=True)
        try:
            small = state.small.kept(payload, THUMBNAIL) or state.small.make(payload, THUMBNAIL)
        except (DarkroomError, NotAllowed) as error:
            return [{**facts, "not_shown": str(error)}]
        return [facts, Image(data=small, format="webp")]

    @tool
    def stats() -> dict[str, Any]:
        """What the collection holds: formats, years, cameras, lenses, folders, the words of captions."""
        return state.darkroom.stats().to_dict()

    @tool
    def job(job: str = "") -> list[dict[str, Any]]:
        """How a job is, or without its name the latest ones."""
        found = [state.darkroom.job(job)] if job else state.darkroom.jobs(10)
        return [each.to_dict() for each in found]

    return server


class Guarded:
    """Lets in to the agents' door who may read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if "read" not in scope["state"]["scopes"]:
            refused = problem(401, "Here everybody needs a token: `darkroom token create` makes one.")
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


def agent_route(server: MCPServer) -> Route:
    """The address at which agents ask over HTTP; the gate has checked host and origin already."""
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return Route(PATH, endpoint=Guarded(app))
