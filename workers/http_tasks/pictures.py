"""The questions that a GPU worker answers: darkroom.embed, darkroom.caption, darkroom.search."""

import base64
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from settings import load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.app import app
from tasks.queues import HTTP_CAPTION, HTTP_EMBED, HTTP_SEARCH, SEARCH
from tasks.rpc import ask
from workers.http_tasks.requests import CaptionRequest, EmbedRequest, SearchRequest

if TYPE_CHECKING:
    from pictures.picture import Picture
    from pictures.reading import Sources
    from workers.gpu.pipeline import Pipeline

T = TypeVar("T")
NEAREST_SECONDS = 60.0
# A file that is asked for by itself lies in no folder that somebody wanted to have ingested.
ANY_ROOT = "file:///"
# `typing`: Flower would check the names of the arguments itself, and answer a wrong one with a page about a bug.
QUESTION: dict[str, Any] = {"ignore_result": False, "acks_late": False, "typing": False, "throws": (DarkroomError,)}


@app.task(name=HTTP_EMBED, **QUESTION)
def embed(**fields: Any) -> dict[str, Any]:
    """Embeddings of length one, in the order of what was sent; null for a picture that is told of in `errors`."""
    from workers.gpu.state import pipeline

    asked, own = EmbedRequest.of(fields), pipeline()
    rows: list[Any]
    errors: list[dict[str, Any]] = []
    if asked.texts is not None:
        rows = list(own.clip.embed_texts(asked.texts))
    else:
        rows, errors = _each(own, asked.images, asked.uris, lambda picture: own.clip_batcher.submit(picture.clip))
    written: Callable[[Any], Any] = _base64 if asked.encoding == "base64" else lambda row: [float(x) for x in row]
    vectors = [None if row is None else written(row) for row in rows]
    return {"model": own.clip.name, "dim": own.clip.dim, "vectors": vectors, "errors": errors}


@app.task(name=HTTP_CAPTION, **QUESTION)
def caption(**fields: Any) -> dict[str, Any]:
    """Captions in the order of what was sent; null for a picture that is told of in `errors`."""
    from workers.gpu.state import pipeline

    asked, own = CaptionRequest.of(fields), pipeline()
    blip, batcher = own.blip, own.blip_batcher
    if blip is None or batcher is None:
        raise WrongUse("This worker writes no captions: it runs with models.captions = false.")
    captions, errors = _each(own, asked.images, asked.uris, lambda picture: batcher.submit(_wanted(picture.blip)))
    return {"model": blip.name, "captions": captions, "errors": errors}


@app.task(name=HTTP_SEARCH, **QUESTION)
def search(**fields: Any) -> dict[str, Any]:
    """The points nearest to a text or a picture, best first."""
    from workers.gpu.state import pipeline

    asked, own = SearchRequest.of(fields), pipeline()
    if asked.text is not None:
        row = own.clip.embed_texts([asked.text])[0]
    else:
        images = None if asked.image is None else [asked.image]
        uris = None if asked.uri is None else [asked.uri]
        rows, errors = _each(own, images, uris, lambda picture: own.clip_batcher.submit(picture.clip))
        if errors:
            raise WrongUse(f"The picture to search by cannot be used: {errors[0]['reason']}.")
        row = rows[0]
    hits = ask(
        SEARCH,
        NEAREST_SECONDS,
        vector=row.astype("<f4").tobytes(),
        clip_model=own.clip.name,
        limit=asked.limit,
        where=asked.where,
    )
    return {"model": own.clip.name, "hits": hits}


def _each(
    own: "Pipeline",
    images: list[Any] | None,
    uris: list[str] | None,
    submit: "Callable[[Picture], Future[T]]",
) -> tuple[list[T | None], list[dict[str, Any]]]:
    """What a model makes of each picture, and why some are left out."""
    from pictures.decode import decode
    from pictures.picture import LoadError

    futures: list[Future[T] | None] = []
    errors: list[dict[str, Any]] = []
    blip = own.blip.model_input if own.blip is not None else None
    for index, source in enumerate(images or uris or []):
        try:
            data = source if images else _sources().read(source, ANY_ROOT).data
            futures.append(submit(decode(data, own.settings.ingest.max_pixels, own.clip.model_input, blip)))
        except LoadError as error:
            futures.append(None)
            errors.append({"index": index, "reason": error.reason})
    return [None if future is None else future.result() for future in futures], errors


@cache
def _sources() -> "Sources":
    from pictures.reading import Sources

    return Sources(load_settings())


def _wanted(pixels: "T | None") -> "T":
    assert pixels is not None
    return pixels


def _base64(row: Any) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
