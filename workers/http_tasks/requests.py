"""The JSON that other programs send, validated before it is used."""

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from settings.errors import WrongUse

# The request and the answer are one message each.
MAX_ITEMS = 256


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("is not base64")
    # In a data: URL the picture follows a comma, and some programs insert line breaks.
    try:
        return base64.b64decode("".join(text.rpartition(",")[2].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error


Base64 = Annotated[bytes, BeforeValidator(_decoded)]
Texts = Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)]
Images = Annotated[list[Base64], Field(min_length=1, max_length=MAX_ITEMS)]


class Request(BaseModel):
    """The fields of a request; `of` validates them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Validate the fields; raises WrongUse with one sentence about the first error."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise WrongUse(f"{field} is unknown: there are {', '.join(cls.model_fields)}.")
        message = first["msg"].removeprefix("Value error, ")
        raise WrongUse(f"{field}: {message[:1].lower()}{message[1:]}." if field else f"{message}.")

    def _exactly_one(self, *names: str) -> None:
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise ValueError(f"Say exactly one of {', '.join(names)}")


class EmbedRequest(Request):
    """Texts or pictures to embed; a picture is sent in base64 or named by its URI."""

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
    """A search by a text or by a picture; `where` is a filter as in workers/storage/where.py."""

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
