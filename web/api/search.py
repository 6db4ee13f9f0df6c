"""Search by words, by a picture that is sent along, by a point and by facts."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from producer.search.query import By
from settings.errors import WrongUse
from web.api import PREFIX
from web.api.answers import ID, MOST, Hits, Limit, Offset, Where, hit_of
from web.doors.scopes import needs
from web.state import State, Web

router = APIRouter(prefix=PREFIX, tags=["search"], dependencies=[needs("read")])
SORT = "taken, name, bytes or score, in reverse with a - before it; a search by a point is sorted by score alone."

TEXT = 'Words, or several terms with signs and weights: "beach + 2:dog - people". A sign stands between spaces.'
LIKE = "Points by their ids: the pictures look like these as well, and are none of them."
BY = "Rank by embeddings, by the words of captions, titles, keywords and names, or by both."
LEAST = "The least similarity of a result, -1 to 1; auto is what unrelated pictures hardly ever reach."
Least = Annotated[float | Literal["auto"] | None, Query(description=LEAST)]


class SearchRequest(BaseModel):
    """What to look for: words, points of the collection, or none of them; and conditions that must all hold."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"text": "a dog on a beach", "where": ["taken>=2024-06"], "limit": 20},
                {"point": ID, "limit": 12},
                {"text": "beach + 2:dog - people", "like": [ID], "by": "both", "min_score": "auto"},
            ]
        },
    )

    text: str | None = Field(None, description=TEXT)
    point: str | None = Field(None, description="Pictures like this one, which is none of them.")
    like: list[str] = Field([], max_length=20, description=LIKE)
    by: By = Field("both", description=BY)
    min_score: float | Literal["auto"] | None = Field(None, description=LEAST)
    where: list[str] = Field([], max_length=20)
    sort: str | None = Field(None, description=SORT)
    limit: int = Field(20, ge=1, le=MOST)
    offset: int = Field(0, ge=0, le=100_000)


def found(asked: SearchRequest, state: State, image: Path | None = None) -> Hits:
    """The results of a search, best first."""
    if asked.point is not None:
        if asked.text is not None or asked.like or image is not None:
            raise WrongUse("A search by `point` is by that point alone: name points in `like` to add words to them.")
        pictures = list(
            state.darkroom.similar_to(asked.point, where=asked.where, limit=asked.limit + 1, offset=asked.offset)
        )
    else:
        # One more than is wanted tells whether there are any more.
        pictures = list(
            state.darkroom.search(
                asked.text,
                image=image,
                like=asked.like,
                where=asked.where,
                limit=asked.limit + 1,
                sort=asked.sort,
                offset=asked.offset,
                by=asked.by,
                min_score=asked.min_score,
                files=False,
            )
        )
    page = pictures[: asked.limit]
    after = asked.offset + len(page)
    return Hits(
        results=[hit_of(picture, state) for picture in page],
        offset=asked.offset,
        next=after if len(pictures) > len(page) else None,
    )


@router.get("/search", summary="Search by words, by a point or by facts")
def search(
    state: Web,
    text: Annotated[str | None, Query(max_length=2000, description=TEXT, examples=["a dog on a beach"])] = None,
    point: Annotated[str | None, Query(description="Pictures like this one.", examples=[ID])] = None,
    like: Annotated[list[str], Query(description=LIKE)] = [],  # noqa: B006, FastAPI copies it
    by: Annotated[By, Query(description=BY)] = "both",
    min_score: Least = None,
    where: Where = [],  # noqa: B006, FastAPI copies it
    sort: Annotated[str | None, Query(description=SORT)] = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> Hits:
    """The pictures that look most like words or like a point, best first; with neither, those that `where` fits."""
    asked = SearchRequest(
        text=text,
        point=point,
        like=like,
        by=by,
        min_score=min_score,
        where=where,
        sort=sort,
        limit=limit,
        offset=offset,
    )
    return found(asked, state)


@router.post("/search", summary="The same, with a body")
def search_by_body(state: Web, asked: SearchRequest) -> Hits:
    """As GET, for what is too long for an address."""
    return found(asked, state)


class SearchesRequest(BaseModel):
    """Several questions at once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"texts": ["a dog", "a cat - a dog"]}]})

    texts: list[str] = Field(min_length=1, max_length=100)
    by: By = Field("both", description=BY)
    min_score: float | Literal["auto"] | None = Field(None, description=LEAST)
    where: list[str] = Field([], max_length=20)
    limit: int = Field(20, ge=1, le=MOST)


@router.post("/search/several", summary="Several questions at once")
def search_several(state: Web, asked: SearchesRequest) -> list[Hits]:
    """The answer to each text, in their order."""
    results = state.darkroom.search_all(
        asked.texts, where=asked.where, limit=asked.limit, by=asked.by, min_score=asked.min_score, files=False
    )
    return [Hits(results=[hit_of(picture, state) for picture in each], offset=0, next=None) for each in results]


@router.post("/search/picture", summary="Search by a picture that is sent along")
def search_by_picture(
    state: Web,
    picture: Annotated[UploadFile, File(description="The file, in any format that an ingest takes.")],
    text: Annotated[str | None, Form(max_length=2000, description=TEXT)] = None,
    by: Annotated[By, Form(description=BY)] = "both",
    min_score: Annotated[float | Literal["auto"] | None, Form(description=LEAST)] = None,
    where: Annotated[list[str], Form()] = [],  # noqa: B006, FastAPI copies it
    limit: Annotated[int, Form(ge=1, le=MOST)] = 20,
    offset: Annotated[int, Form(ge=0, le=100_000)] = 0,
) -> Hits:
    """The pictures that look most like the file, and like words where there are any; it is not kept."""
    with tempfile.TemporaryDirectory(prefix="darkroom-search-") as folder:
        file = Path(folder) / "picture"
        with file.open("wb") as copy:
            while part := picture.file.read(1 << 20):
                copy.write(part)
        try:
            asked = SearchRequest(text=text, by=by, min_score=min_score, where=where, limit=limit, offset=offset)
            return found(asked, state, file)
        except WrongUse as error:
            raise WrongUse(str(error).replace(str(file), "The picture")) from None
