"""One picture: its facts, its small pictures, its file, and those that look like it."""

import os
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from pictures.thumbnails import PREVIEW, THUMBNAIL
from web.api import PREFIX
from web.api.answers import Hit, Hits, Limit, Where, hit, hit_of
from web.doors.scopes import needs
from web.files.served import DOWNLOADED, SHOWN
from web.state import State, Web

router = APIRouter(prefix=f"{PREFIX}/points", tags=["pictures"], dependencies=[needs("read")])
# Decoding takes a core and much memory, so no more at a time than there are cores; other requests need not wait for it.
_decoders = CapacityLimiter(os.cpu_count() or 1)
MAX_AGE = 300
FILE_TYPES = {*SHOWN.values(), DOWNLOADED}
WEBP: dict[int | str, dict[str, Any]] = {200: {"content": {"image/webp": {}}, "description": "The picture."}}


@router.get("/{id}", summary="All that is known of a picture")
def point(state: Web, id: str) -> Hit:
    """The facts of a point of the collection."""
    return hit(state.darkroom.point(id).payload, id, None, state)


@router.get("/{id}/similar", summary="Pictures that look like it")
def similar(
    state: Web,
    id: str,
    where: Where = [],  # noqa: B006, FastAPI copies it
    limit: Limit = 20,
    copies: Annotated[bool, Query(description="Byte-identical copies of it as well.")] = False,
) -> Hits:
    """Best first, without the picture itself."""
    pictures = state.darkroom.similar_to(id, where=where, limit=limit, copies=copies)
    return Hits(results=[hit_of(picture, state) for picture in pictures], offset=0, next=None)


@router.get("/{id}/thumbnail", summary="It in 256 pixels", response_class=Response, responses=WEBP)
async def thumbnail(request: Request, state: Web, id: str) -> Response:
    """A WebP of at most 256 pixels each way."""
    return await _small(request, state, id, THUMBNAIL)


@router.get("/{id}/preview", summary="It in 1440 pixels", response_class=Response, responses=WEBP)
async def preview(request: Request, state: Web, id: str) -> Response:
    """A WebP of at most 1440 pixels each way."""
    return await _small(request, state, id, PREVIEW)


async def _small(request: Request, state: State, id: str, size: int) -> Response:
    payload = state.points.remembered(id)
    if payload is None:
        payload = await run_sync(state.points.file_of, id)
    tag = f'"{payload["sha256"]}-{size}"'
    headers = {"ETag": tag, "Cache-Control": f"private, max-age={MAX_AGE}"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    data = await run_sync(state.small.kept, payload, size)
    if data is None:
        data = await run_sync(partial(state.small.make, payload, size), limiter=_decoders)
    return Response(data, media_type="image/webp", headers=headers)


@router.get(
    "/{id}/original",
    summary="The file itself",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in sorted(FILE_TYPES)}, "description": "The file as it is."}},
)
def original(
    state: Web, id: str, download: Annotated[bool, Query(description="To be saved, not to be shown.")] = False
) -> Response:
    """The file as it lies there; what a browser cannot show safely is to be saved."""
    file = state.files.original(state.points.file_of(id))
    kind = "inline" if file.is_shown and not download else "attachment"
    headers = {
        "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}",
        "Cache-Control": f"private, max-age={MAX_AGE}",
    }
    if file.path is not None:
        return FileResponse(file.path, media_type=file.media_type, headers=headers)
    return Response(file.data, media_type=file.media_type, headers=headers)
