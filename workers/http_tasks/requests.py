"""The JSON that other programs send, checked before anything is done with it."""

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from settings.errors import WrongUse

# One question is one message through Redis, and is answered as a whole.
MOST = 256


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("is not base64")
    # Programs that speak of data: URLs send the picture behind a comma, and some break the lines.
    try:
        return base64.b64decode("".join(text.rpartition(",")[2].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error


Base64 = Annotated[bytes, BeforeValidator(_decoded)]
Texts = Annotated[list[str], Field(min_length=1, max_length=MOST)]
Images = Annotated[list[Base64], Field(min_length=1, max_length=MOST)]


class Request(BaseModel):
    """One question; `of` reads it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Read a question; raises WrongUse with one sentence about the first thing that is wrong with it."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise WrongUse(f"{place} is unknown: there are {', '.join(cls.model_fields)}.")
        message = first["msg"].removeprefix("Value error, ")
        raise WrongUse(f"{place}: {message[:1].lower()}{message[1:]}." if place else f"{message}.")

    def _exactly_one(self, *names: str) -> None:
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise ValueError(f"Say exactly one of {', '.join(names)}")


class EmbedRequest(Request):
    """Texts or pictures to embed; a picture comes along in base64 or is named by its URI."""

    texts: Texts | None = None
    images: Images | None = None
    uris: Texts | None = None
    encoding: Literal["base64", "list"] = "base64"

    @model_validator(mode="after")
    def _one(self) -> Self:
        self._exactly_one("texts", "images", "uris")
        return self


class CaptionRequest(Request):
    """Pictures to caption."""

    images: Images | None = None
    uris: Texts | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self._exactly_one("images", "uris")
        return self


class SearchRequest(Request):
    """What to search for, by a text or by a picture; `where` as in workers/storage/where.py."""

    text: Annotated[str, Field(min_length=1)] | None = None
    image: Base64 | None = None
    uri: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 10
    where: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self._exactly_one("text", "image", "uri")
        return self


class IngestRequest(Request):
    """A folder of the machine that runs `python -m workers ingest`."""

    directory: Annotated[str, Field(pattern=r"^/[^\x00]*$")]
