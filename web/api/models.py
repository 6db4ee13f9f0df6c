"""What the models say of texts and pictures that need not be in the collection."""

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from web.api import PREFIX
from web.api.answers import CaptionsOut, Vectors, vectors_of
from web.doors.scopes import needs
from web.state import Web

router = APIRouter(prefix=PREFIX, tags=["models"], dependencies=[needs("read")])
MOST_ITEMS = 256
# RFC 4648, 4.
BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("This is not base64")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("This is not base64") from None


Base64 = Annotated[
    bytes,
    BeforeValidator(_decoded),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "pattern": BASE64}, mode="validation"),
]
Images = Annotated[
    list[Base64], Field(min_length=1, max_length=MOST_ITEMS, description="The files of pictures, in base64.")
]


def _examples(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": list(examples)})


def _given(name: str) -> dict[str, Any]:
    """The part of a schema that says: this one is there, and not null."""
    return {"required": [name], "properties": {name: {"type": "array"}}}


class EmbedRequest(BaseModel):
    """Texts or pictures to embed, and how the numbers are wanted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"texts": ["a large red circle", "a small blue square"], "encoding": "list"}],
            "oneOf": [_given("texts"), _given("images")],
        },
    )

    texts: Annotated[list[str], Field(min_length=1, max_length=MOST_ITEMS)] | None = None
    images: Images | None = None
    encoding: Literal["base64", "list"] = "base64"

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.texts is None) == (self.images is None):
            raise ValueError("Say exactly one of texts, images")
        return self


class CaptionRequest(BaseModel):
    """Pictures to caption."""

    model_config = _examples({"images": ["/9j/4AAQSkZJRg=="]})

    images: Images


@router.post("/embed", summary="Embed texts or pictures")
def embed(state: Web, asked: EmbedRequest) -> Vectors:
    """Vectors of length one, by the model of the GPU workers. Calls of many clients share its batches."""
    return vectors_of(state.darkroom.embed(asked.texts, images=asked.images), asked.encoding)


@router.post("/caption", summary="Caption pictures")
def caption(state: Web, asked: CaptionRequest) -> CaptionsOut:
    """A caption for each picture, by the model of the GPU workers."""
    return CaptionsOut(**state.darkroom.caption(asked.images).to_dict())
