"""What each error of a Qdrant server means, as a sentence: the fault of the request, or something that passes.

The codes and the words are those of Qdrant's source: lib/storage/src/content_manager/ and src/actix/helpers.rs (1.19).
"""

import json
import logging
import ssl

import grpc
import pydantic
from grpc import StatusCode
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from settings.errors import DarkroomError, ServiceMissing

log = logging.getLogger("darkroom.storage")


class Refused(DarkroomError):
    """The request itself is at fault: Qdrant would refuse it again."""


class LimitReached(Refused):
    """The request breaks a limit of the collection (strict mode), which may be one of its batch or of the whole."""


class Unanswered(ServiceMissing):
    """No Qdrant has answered; another way to the server may do better."""


# 413: the batch is too large; a smaller one is not.
_REFUSED_STATUS = (400, 413, 422)
_UNANSWERED_STATUS = (408, 502, 503, 504)
_UNANSWERED_CODES = (
    StatusCode.UNAVAILABLE,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.CANCELLED,
    StatusCode.UNKNOWN,  # a stream that was reset, a proxy
    StatusCode.INTERNAL,  # the same; Qdrant's own internal errors say so in words
    StatusCode.UNIMPLEMENTED,
)
# What Qdrant says, in small letters -> the cause and what to do.
_CAUSES = {
    "no space left": "Qdrant's disk is full: make room on it",
    "insufficient storage": "Qdrant has reached the limit of its storage: raise it or make room",
    "out of memory": "Qdrant's memory is full: give it more",
    "storage locked": "Qdrant is locked: unlock it",
    "rate limiting": "Qdrant limits the number of requests: raise that limit, or wait",
    "service internal error": "Qdrant has failed: see its log",
}
MAX_WORDS = 300


def explain(url: str, error: Exception) -> DarkroomError:
    """The error to raise for what a call to the server at `url` has raised."""
    if isinstance(error, ResourceExhaustedResponse):
        return _known_cause(url, str(error)) or busy(url)
    if isinstance(error, grpc.RpcError):
        return _of_code(url, error.code(), error.details() or "")
    if isinstance(error, UnexpectedResponse):
        return _of_status(url, error.status_code or 0, _words(error) or error.reason_phrase)
    if isinstance(error, ResponseHandlingException) and not isinstance(error.source, pydantic.ValidationError):
        return _of_connection(url, error.source)
    log.warning("an answer of Qdrant", exc_info=error)
    name = type(getattr(error, "source", error)).__name__
    return Unanswered(f"What answers at {url} is no Qdrant that this release understands ({name}): see qdrant.url.")


def busy(url: str) -> ServiceMissing:
    """The error for a server that has said several times that it is busy."""
    return ServiceMissing(f"Qdrant at {url} says again and again that it is busy: give it time.")


def _of_code(url: str, code: StatusCode, words: str) -> DarkroomError:
    if code is StatusCode.INVALID_ARGUMENT:
        return _refused(url, words)
    if code is StatusCode.UNAUTHENTICATED:
        return _key_refused(url, words)
    if code is StatusCode.PERMISSION_DENIED:
        return _known_cause(url, words) or _key_refused(url, words)
    return _passing(url, words or code.name, code in _UNANSWERED_CODES)


def _of_status(url: str, status: int, words: str) -> DarkroomError:
    if status in _REFUSED_STATUS:
        return _refused(url, words)
    if status in (401, 403):
        return _known_cause(url, words) or _key_refused(url, words)
    return _passing(url, words or f"status {status}", status in _UNANSWERED_STATUS)


def _of_connection(url: str, source: BaseException) -> DarkroomError:
    chain = source
    while not isinstance(chain, ssl.SSLError) and (cause := chain.__cause__ or chain.__context__):
        chain = cause
    if isinstance(chain, ssl.SSLCertVerificationError):
        return Unanswered(f"Qdrant at {url} shows a certificate that is not trusted ({_cut(source)}): set qdrant.ca.")
    return _no_answer(url, _cut(source))


def _passing(url: str, words: str, unanswered: bool) -> ServiceMissing:
    """The error for what is not the fault of the request."""
    if known := _known_cause(url, words):
        return known
    if unanswered:
        return _no_answer(url, words)
    return ServiceMissing(f"Qdrant at {url} cannot do it now ({_cut(words)}): see its log.")


def _no_answer(url: str, words: str) -> Unanswered:
    return Unanswered(f"Qdrant at {url} does not answer ({_cut(words)}): start it or set qdrant.url.")


def _known_cause(url: str, words: str) -> ServiceMissing | None:
    cause = next((cause for needle, cause in _CAUSES.items() if needle in words.lower()), None)
    return ServiceMissing(f"{cause} ({url} says: {_cut(words)}).") if cause else None


def _key_refused(url: str, words: str) -> ServiceMissing:
    return ServiceMissing(
        f"Qdrant at {url} refuses the key ({_cut(words)}): set qdrant.api_key (best as DARKROOM__QDRANT__API_KEY)."
    )


def _refused(url: str, words: str) -> Refused:
    # Strict mode answers as for a wrong request, but gives advice.
    kind = LimitReached if ". Help: " in words else Refused
    return kind(f"Qdrant at {url} refused a request: {_cut(words)}.")


def _words(error: UnexpectedResponse) -> str:
    """Qdrant's own sentence in the body of an answer, or the body."""
    try:
        return str(json.loads(error.content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return error.content.decode(errors="replace").strip()


def _cut(words: object) -> str:
    return " ".join(str(words).split())[:MAX_WORDS].rstrip(".")
