"""The answers of the interface: what every call returns, with an example each."""

import base64
import struct
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from pictures.uris import name_of
from producer.collection.inference import Embeddings
from producer.records import Picture
from web.state import State

MOST = 1000
ID = "8f6d3f6e-56a4-5b1c-9f6e-6f2a2f0b8a11"
JOB = "20260131-142501-9f3a01bc"
Where = Annotated[
    list[str],
    Query(
        description="Conditions that must all hold, as `--where` takes them.",
        examples=[["taken>=2024-06", "camera=Canon*"]],
    ),
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=100_000, description="How many of the first are left out.")]


class Hit(BaseModel):
    """A picture of the collection; `score` is a cosine similarity, null where nothing was compared.

    `facts` are all others that are known: camera, lens, gps, bytes and so on.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": ID,
                    "uri": "file:///photos/beach.jpg",
                    "name": "beach.jpg",
                    "score": 0.312,
                    "caption": "a dog on a beach",
                    "width": 4000,
                    "height": 3000,
                    "taken_at": "2024-06-01T14:00:00",
                    "facts": {"format": "JPEG", "camera": "X100"},
                }
            ]
        }
    )

    id: str
    uri: str
    name: str
    score: float | None
    caption: str | None
    width: int | None
    height: int | None
    taken_at: str | None
    facts: dict[str, Any]


def hit(payload: Mapping[str, Any], id: str, score: float | None, state: State) -> Hit:
    """A picture as an answer; where its file lies is remembered, for its thumbnail will be asked for next."""
    state.points.remember(id, payload)
    shown = {name: payload.get(name) for name in ("uri", "caption", "width", "height", "taken_at")}
    facts = {name: value for name, value in payload.items() if name not in shown and value is not None}
    return Hit(id=id, name=name_of(payload["uri"]), score=score, facts=facts, **shown)


def hit_of(picture: Picture, state: State) -> Hit:
    """A result of a search as an answer."""
    return hit(picture.payload, picture.id, picture.score, state)


class Hits(BaseModel):
    """Some pictures, best first; `next` is the offset of those that follow, null at the end."""

    results: list[Hit]
    offset: int
    next: int | None


class Group(BaseModel):
    """Pictures that are the same; the score of each is its similarity to the first."""

    pictures: list[Hit]


class Groups(BaseModel):
    """Some groups, the largest first, of `total` among `points` pictures."""

    groups: list[Group]
    total: int
    points: int
    offset: int
    next: int | None


class Facets(BaseModel):
    """The values that a field has most often, each with its number of pictures."""

    field: str = Field(examples=["camera"])
    values: dict[str, int] = Field(examples=[{"X100": 420, "D850": 17}])


class Vectors(BaseModel):
    """Embeddings of length one; null for a picture that cannot be used, whose reason is in `errors`."""

    model: str
    dim: int
    vectors: list[str | list[float] | None]
    errors: list[dict[str, Any]]


def vectors_of(made: Embeddings, encoding: Literal["base64", "list"]) -> Vectors:
    """Embeddings as an answer: float32 little-endian in base64, or lists of numbers."""

    def encoded(row: bytes | None) -> str | list[float] | None:
        if row is None:
            return None
        return (
            base64.b64encode(row).decode() if encoding == "base64" else list(struct.unpack(f"<{len(row) // 4}f", row))
        )

    return Vectors(model=made.model, dim=made.dim, vectors=[encoded(row) for row in made.vectors], errors=made.errors)


class CaptionsOut(BaseModel):
    """A caption each; null for a picture that cannot be used, whose reason is in `errors`."""

    model: str
    captions: list[str | None]
    errors: list[dict[str, Any]]


class JobOut(BaseModel):
    """How a job is: `state` is running, done, interrupted or abandoned; `total` is null until all is numbered."""

    job: str = Field(examples=[JOB])
    root: str
    state: str
    started: float
    total: int | None
    stored: int
    failed: int
    skipped: int
    reused: int
    embedded: int
    captioned: int
    still_broken: int


class Jobs(BaseModel):
    """The latest jobs, the newest first."""

    jobs: list[JobOut]


class Failure(BaseModel):
    """A file that failed: at which stage, and the reason in words."""

    uri: str
    stage: str
    reason: str


class Failures(BaseModel):
    """Every failed file of a job, in the order of the scan."""

    job: str
    errors: list[Failure]


class Started(BaseModel):
    """A job that was begun; it goes on by itself."""

    job: str = Field(examples=[JOB])
