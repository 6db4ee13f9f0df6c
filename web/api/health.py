"""What watches over servers asks: is it alive, is it ready, what has it done."""

import time

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.doors.scopes import needs
from web.state import Web

router = APIRouter(tags=["health"])
REGISTRY = CollectorRegistry()
_requests = Counter(
    "darkroom_web_requests", "Requests by their route and status.", ["route", "status"], registry=REGISTRY
)
_seconds = Histogram("darkroom_web_request_seconds", "Seconds until the answer began.", ["route"], registry=REGISTRY)


class Ready(BaseModel):
    """That it can answer questions."""

    status: str = "ready"


@router.get("/healthz", summary="Is this process alive?")
def healthz() -> Ready:
    """Always, as long as it answers at all."""
    return Ready(status="alive")


@router.get("/readyz", summary="Can it answer?")
def readyz(state: Web) -> Ready:
    """Ready when Redis and a storage worker answer; else 503 with the reason."""
    state.darkroom.status()
    return Ready()


@router.get("/metrics", dependencies=[needs("admin")], summary="Figures for Prometheus", response_class=Response)
def metrics() -> Response:
    """Requests and how long they took."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


class Counted:
    """Counts requests under the pattern of their route, so that no name of a picture gets into a figure."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        begun = time.monotonic()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                _seconds.labels(route).observe(time.monotonic() - begun)
                _requests.labels(route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, send_counted if scope["type"] == "http" else send)
