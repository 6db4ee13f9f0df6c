"""The tasks of other programs that a GPU worker runs: darkroom.embed, darkroom.caption, darkroom.search."""

import base64
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from pictures.picture import with_modified_at
from settings import load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.app import app
from tasks.messages import Target
from tasks.queues import COLLECTION_NAME, HTTP_CAPTION, HTTP_EMBED, HTTP_SEARCH, SEARCH
from tasks.rpc import ask
from workers.gpu.questions import captioner, of_pictures
from workers.gpu.state import pipeline
from workers.http_tasks.requests import CaptionRequest, EmbedRequest, SearchRequest

if TYPE_CHECKING:
    from pictures.reading import Sources

NEAREST_SECONDS = 60.0
# A single file belongs to no ingest, so it has no root.
NO_ROOT = "file:///"
# Without `typing=False` Flower checks the names of the arguments itself, and answers a wrong one with an error page.
TASK_OPTIONS: dict[str, Any] = {"ignore_result": False, "acks_late": False, "typing": False, "throws": (DarkroomError,)}


@app.task(name=HTTP_EMBED, **TASK_OPTIONS)
def embed(**fields: Any) -> dict[str, Any]:
    """Embeddings of length one, in the order of the request; null for a picture that is listed in `errors`."""
    request, models = EmbedRequest.of(fields), pipeline()
    rows: list[Any]
    errors: list[dict[str, Any]] = []
    if request.texts is not None:
        rows = list(models.clip.embed_texts(request.texts))
    else:
        of_request = _of(request.images, request.uris)
        rows, errors = of_pictures(*of_request, lambda picture: models.clip_batcher.submit(picture.clip))
    encode: Callable[[Any], Any] = _base64 if request.encoding == "base64" else lambda row: [float(x) for x in row]
    vectors = [None if row is None else encode(row) for row in rows]
    dim = next((len(row) for row in rows if row is not None), 0) or models.clip.dim
    return {"model": models.clip.name, "dim": dim, "vectors": vectors, "errors": errors}


@app.task(name=HTTP_CAPTION, **TASK_OPTIONS)
def caption(**fields: Any) -> dict[str, Any]:
    """Captions in the order of the request; null for a picture that is listed in `errors`."""
    request = CaptionRequest.of(fields)
    name, write = captioner()
    captions, errors = of_pictures(*_of(request.images, request.uris), write, captions=True)
    return {"model": name, "captions": captions, "errors": errors}


@app.task(name=HTTP_SEARCH, **TASK_OPTIONS)
def search(**fields: Any) -> dict[str, Any]:
    """The points nearest to a text or a picture, best first."""
    request, models = SearchRequest.of(fields), pipeline()
    if request.text is not None:
        row = models.clip.embed_texts([request.text])[0]
    else:
        images = None if request.image is None else [request.image]
        uris = None if request.uri is None else [request.uri]
        rows, errors = of_pictures(*_of(images, uris), lambda picture: models.clip_batcher.submit(picture.clip))
        if errors:
            raise WrongUse(f"The picture to search by cannot be used: {errors[0]['reason']}.")
        row = rows[0]
    hits = ask(
        SEARCH,
        NEAREST_SECONDS,
        Target(COLLECTION_NAME, models.clip.name),
        vector=row.astype("<f4").tobytes(),
        clip_model=models.clip.name,
        limit=request.limit,
        where=request.where,
    )
    results = [with_modified_at(hit) for hit in hits]
    # By both names: `results`, as the command has them, and `hits`, as programs know them from before.
    return {"model": models.clip.name, "results": results, "hits": results}


def _of(images: list[Any] | None, uris: list[str] | None) -> tuple[Sequence[Any], Callable[[Any], bytes]]:
    """The pictures of a request, and what reads one."""
    if images:
        return images, lambda data: bytes(data)
    return uris or [], lambda uri: _sources().read(uri, NO_ROOT).data


@cache
def _sources() -> "Sources":
    from pictures.reading import Sources

    return Sources(load_settings())


def _base64(row: Any) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
