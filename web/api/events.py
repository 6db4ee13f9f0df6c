"""The progress of jobs as a stream of events (Server-Sent Events), for pages that stay open."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from anyio import sleep
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from settings.errors import DarkroomError
from settings.redis_errors import redis_errors
from web.api import PREFIX
from web.doors.scopes import needs
from web.state import Web

router = APIRouter(prefix=PREFIX, tags=["jobs"], dependencies=[needs("read")])
STEP_SECONDS = 0.5
# A comment now and then, so that no proxy takes the stream for dead.
QUIET_STEPS = 30
LISTED = 20
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events, each with JSON as its data."}
}


@router.get(
    "/jobs/events",
    summary="The latest jobs, whenever one changes",
    response_class=StreamingResponse,
    responses=STREAM,
)
async def all_events(request: Request, state: Web) -> StreamingResponse:
    """An event `jobs` for each change; it ends when the client goes."""
    return _stream(request, "jobs", lambda: {"jobs": state.darkroom.jobs(LISTED).to_dicts()}, lambda _: False)


@router.get(
    "/jobs/{job}/events", summary="A job, whenever it changes", response_class=StreamingResponse, responses=STREAM
)
async def events(request: Request, state: Web, job: str) -> StreamingResponse:
    """An event `job` for each change; it ends with the job."""
    await run_sync(state.darkroom.job, job)  # one that does not exist is told by the status
    return _stream(request, "job", lambda: state.darkroom.job(job).to_dict(), lambda seen: seen["state"] != "running")


def _stream(
    request: Request, event: str, look: Callable[[], dict[str, Any]], is_last: Callable[[dict[str, Any]], bool]
) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        told, quiet = None, 0
        while not await request.is_disconnected():
            try:
                seen = await run_sync(look)
            except redis_errors(DarkroomError):
                seen = None
            if seen is not None and seen != told:
                told, quiet = seen, 0
                yield f"event: {event}\ndata: {json.dumps(seen)}\n\n"
                if is_last(seen):
                    return
            quiet += 1
            if quiet % QUIET_STEPS == 0:
                yield ": still there\n\n"
            await sleep(STEP_SECONDS)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
