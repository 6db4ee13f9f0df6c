"""Errors as programs read them: problem+json (RFC 9457), with the sentence that a command would print."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kombu.exceptions import OperationalError
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pictures.paths import NotAllowed
from pictures.picture import FileGone, LoadError
from settings.errors import DarkroomError, NotFound, ServiceMissing, WrongUse
from settings.redis_errors import refusal

MEDIA_TYPE = "application/problem+json"
TYPES = (
    (NotFound, 404),
    (WrongUse, 400),
    (ServiceMissing, 503),
    (FileGone, 404),
    (LoadError, 422),
    (NotAllowed, 403),
    (DarkroomError, 500),
)


class Problem(BaseModel):
    """What went wrong: `detail` is a sentence for a person, `status` the code of the answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Refused(HTTPException):
    """Ends a request with this status and this sentence."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(status, detail, headers or None)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def handle_errors(app: FastAPI) -> None:
    """Turn every error of this app into a problem; none of them shows a traceback."""

    def sentence(_request: Request, error: Exception) -> Response:
        return problem(next(status for kind, status in TYPES if isinstance(error, kind)), _ended(str(error)))

    def redis_away(_request: Request, error: Exception) -> Response:
        return problem(503, f"Redis {refusal(error) or 'does not answer'}: ask again later.")

    def not_valid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem(422, _first(error))

    def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = error.headers
        path = getattr(request.scope.get("route"), "path", "")
        if error.status_code == 405 and path in (described := app.openapi()["paths"]):
            # Starlette names those of the first route alone.
            headers = {**(headers or {}), "Allow": ", ".join(sorted(described[path])).upper()}
        return problem(error.status_code, _ended(str(error.detail)), headers)

    app.add_exception_handler(DarkroomError, sentence)
    app.add_exception_handler(NotAllowed, sentence)
    app.add_exception_handler(RedisError, redis_away)
    app.add_exception_handler(OperationalError, redis_away)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, other)
    app.add_exception_handler(
        Exception, lambda _request, _error: problem(500, "This could not be answered: see the log of `darkroom web`.")
    )


def _ended(text: str) -> str:
    return text if text.endswith((".", "?", "!", "`")) else f"{text[:1].upper()}{text[1:]}."


def _first(error: RequestValidationError) -> str:
    """The first thing that is wrong with a request, as a sentence."""
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message[:1].lower()}{message[1:]}." if where else f"{message}."


# What the description of the interface says of every call.
RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text, "content": {MEDIA_TYPE: {}}}
    for code, text in (
        (400, "The request is wrong; the sentence says what is allowed."),
        (401, "A token is needed."),
        (403, "The token, the page or the folder does not allow it."),
        (404, "There is no such thing."),
        (413, "The request is too large."),
        (422, "A field of the request is wrong, or a file cannot be shown."),
        (429, "Too many requests: ask again later."),
        (503, "A part of Darkroom is not there; the sentence says what to start."),
    )
}
