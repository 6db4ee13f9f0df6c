"""The collection as a whole: what it holds, its facets, its duplicates, its pictures in the order of time."""

import base64
import sys
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from pictures.uris import name_of
from web.api import PREFIX
from web.api.answers import Facets, Group, Groups, Limit, Offset, Where, hit_of
from web.doors.scopes import needs
from web.state import Web

router = APIRouter(prefix=PREFIX, tags=["collection"], dependencies=[needs("read")])


class StatsOut(BaseModel):
    """What the collection holds; each mapping is value -> number of pictures."""

    collection: str
    clip_model: str
    points: int
    formats: dict[str, int]
    cameras: dict[str, int]
    lenses: dict[str, int]
    places: dict[str, int]
    concepts: dict[str, int]
    folders: dict[str, int]
    subfolders: dict[str, int]
    years: dict[str, int]
    months: dict[str, int]
    undated: int
    words: dict[str, int]
    captions_read: int


class MonthOut(BaseModel):
    """The pictures of one month, null for those without a date; `start` is the place of the first."""

    month: str | None = Field(examples=["2024-05"])
    start: int
    count: int


class TimelineOut(BaseModel):
    """All pictures in the order of time; `ratios`: width by height in thousandths, uint16 little-endian in base64."""

    total: int
    months: list[MonthOut]
    ratios: str


class Items(BaseModel):
    """Some pictures of the timeline, in its order: {"id", "text", "caption", "taken_at"} each."""

    items: list[dict[str, Any]]


@router.get("/stats", summary="What the collection holds")
def stats(state: Web) -> StatsOut:
    """Formats, years, cameras, lenses, folders, and the words of captions."""
    return StatsOut(**state.darkroom.stats().to_dict())


@router.get("/facets", summary="The values of a field")
def facets(
    state: Web,
    field: Annotated[str, Query(description="camera, lens, format, keywords or root.", examples=["camera"])],
    where: Where = [],  # noqa: B006, FastAPI copies it
    limit: Limit = 20,
) -> Facets:
    """The values that a field has most often among the pictures that `where` fits."""
    return Facets(field=field, values=state.darkroom.facet(field, where=where, limit=limit))


@router.get("/duplicates", summary="Pictures that are there more than once")
def duplicates(
    state: Web,
    near: Annotated[
        float | None, Query(gt=0, le=1, description="The least similarity; without it, same bytes.")
    ] = None,
    where: Where = [],  # noqa: B006, FastAPI copies it
    limit: Limit = 50,
    offset: Offset = 0,
) -> Groups:
    """Groups of pictures with the same bytes, or with `near` of those that look the same; nothing is deleted."""
    result = state.darkroom.duplicates(near, where=where, limit=offset + limit)
    page = result.groups[offset : offset + limit]
    after = offset + len(page)
    return Groups(
        groups=[Group(pictures=[hit_of(picture, state) for picture in group]) for group in page],
        total=result.total,
        points=result.points,
        offset=offset,
        next=after if after < result.total and page else None,
    )


@router.get("/timeline", summary="All pictures in the order of time")
def timeline(
    state: Web,
    where: Where = [],  # noqa: B006, FastAPI copies it
) -> TimelineOut:
    """The months, and the shape of every picture, so that a page can lay all of them out at once."""
    found = state.timelines.of(where)
    ratios = found.ratios[:]
    if sys.byteorder == "big":
        ratios.byteswap()
    months = [MonthOut(month=each.month, start=each.start, count=each.count) for each in found.months]
    return TimelineOut(total=len(ratios), months=months, ratios=base64.b64encode(ratios.tobytes()).decode())


@router.get("/timeline/items", summary="Some pictures of the timeline")
def items(
    state: Web,
    where: Where = [],  # noqa: B006, FastAPI copies it
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Limit = 500,
) -> Items:
    """The pictures from one place of the timeline on."""
    rows = []
    for entry in state.timelines.of(where).entries[offset : offset + limit]:
        state.points.remember(entry.id, {"uri": entry.uri, "root": entry.root, "sha256": entry.sha256})
        text = entry.caption or name_of(entry.uri)
        rows.append({"id": entry.id, "text": text, "caption": entry.caption, "taken_at": entry.taken_at})
    return Items(items=rows)
