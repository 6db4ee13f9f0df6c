"""Two maps: of what pictures show, and of where they were taken."""

import base64
import struct
import uuid
from collections.abc import Iterable

from fastapi import APIRouter
from pydantic import BaseModel, Field

from web.api import PREFIX
from web.api.answers import Where
from web.doors.scopes import needs
from web.state import Web

router = APIRouter(prefix=PREFIX, tags=["maps"], dependencies=[needs("read")])


class LabelOut(BaseModel):
    """The words of a cluster, and where its middle is."""

    text: str = Field(examples=["dog, beach"])
    cluster: int
    x: float
    y: float


class MapOut(BaseModel):
    """Pictures on a plane, those that look alike close together.

    In base64: `ids`, 16 bytes a picture; `places`, its x and y as uint16 little-endian; `clusters`, a byte each.
    """

    total: int
    ids: str
    places: str
    clusters: str
    labels: list[LabelOut]


class PlacesOut(BaseModel):
    """Where pictures were taken, of those that say it.

    In base64: `ids`, 16 bytes a picture; `places`, its latitude and longitude in degrees as float32 little-endian.
    """

    total: int
    ids: str
    places: str


@router.get("/map", summary="Pictures on a plane, those that look alike close together")
def map_of_meaning(state: Web) -> MapOut:
    """At most 100,000 pictures, in clusters with their words; laying out a large collection takes half a minute."""
    placed = state.layouts.latest()
    return MapOut(
        total=len(placed.ids),
        ids=_packed(placed.ids),
        places=_base64(placed.places),
        clusters=_base64(placed.clusters),
        labels=[LabelOut(**label.to_dict()) for label in placed.labels],
    )


@router.get("/places", summary="Where pictures were taken")
def places(
    state: Web,
    where: Where = [],  # noqa: B006, FastAPI copies it
) -> PlacesOut:
    """Every picture that says where it was taken, the newest first."""
    found = [(entry.id, entry.place) for entry in state.timelines.of(where).entries if entry.place is not None]
    degrees = [degree for _, place in found for degree in place]
    return PlacesOut(
        total=len(found),
        ids=_packed(id for id, _ in found),
        places=_base64(struct.pack(f"<{len(degrees)}f", *degrees)),
    )


def _packed(ids: Iterable[str]) -> str:
    return _base64(b"".join(uuid.UUID(id).bytes for id in ids))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
