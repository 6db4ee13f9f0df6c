"""Questions to a GPU worker: what its models say of texts and pictures, which need not be in the collection."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.queues import CAPTION_PICTURES, EMBED_PICTURES, EMBED_TEXTS
from tasks.rpc.answers import answers
from workers.gpu.state import pipeline

if TYPE_CHECKING:
    # For the types only: Flower imports this, and needs none of the libraries behind the pipeline.
    from pictures.picture import Picture, Pixels

T = TypeVar("T")
Errors = list[dict[str, Any]]


@answers(EMBED_TEXTS)
def embed_texts(texts: list[str]) -> dict[str, Any]:
    """Embed texts for a search: float32 bytes, `dim` numbers a row, the model's name, and which texts are too long."""
    clip = pipeline().clip
    _require(clip.load_texts)
    rows = clip.embed_texts(texts)
    cut = [clip.is_cut(text) for text in texts]
    return {"vectors": rows.tobytes(), "dim": rows.shape[1], "clip_model": clip.name, "cut": cut}


@answers(EMBED_PICTURES)
def embed_pictures(images: list[bytes]) -> dict[str, Any]:
    """Embed pictures, each the bytes of a file, decoded as an ingest would.

    float32 bytes each, None for one that cannot be decoded, which is in `errors`; `dim` numbers, and the model's name.
    """
    models = pipeline()
    _require(models.clip.load_pictures)
    rows, errors = of_pictures(images, lambda data: data, lambda picture: models.clip_batcher.submit(picture.clip))
    vectors = [None if row is None else row.astype("<f4").tobytes() for row in rows]
    return {"vectors": vectors, "dim": models.clip.dim, "clip_model": models.clip.name, "errors": errors}


@answers(CAPTION_PICTURES)
def caption_pictures(images: list[bytes]) -> dict[str, Any]:
    """The captions of pictures, each the bytes of a file; None for one that cannot be decoded, which is in `errors`."""
    name, write = captioner()
    captions, errors = of_pictures(images, lambda data: data, write, captions=True)
    return {"captions": captions, "blip_model": name, "errors": errors}


def captioner() -> "tuple[str, Callable[[Picture], Future[str]]]":
    """The name of the model that writes captions, and what has it write one; raises WrongUse where none does."""
    models = pipeline()
    blip, batcher = models.blip, models.blip_batcher
    if blip is None or batcher is None:
        raise WrongUse("This worker writes no captions: it runs with models.captions = false.")

    def write(picture: "Picture") -> "Future[str]":
        return batcher.submit(_not_none(picture.blip))

    return blip.name, write


def of_pictures(
    sources: Sequence[Any],
    read: Callable[[Any], bytes],
    submit: "Callable[[Picture], Future[T]]",
    captions: bool = False,
) -> tuple[list[T | None], Errors]:
    """The result of a model for each picture, None for one that cannot be decoded, and the reasons for these."""
    from pictures.picture import LoadError

    models = pipeline()
    futures: list[Future[T] | None] = []
    errors: Errors = []
    for index, source in enumerate(sources):
        try:
            futures.append(submit(models.decode_query(read(source), f"picture {index} of a request", captions)))
        except LoadError as error:
            futures.append(None)
            errors.append({"index": index, "reason": error.reason})
    return [None if future is None else future.result() for future in futures], errors


def _not_none(pixels: "Pixels | None") -> "Pixels":
    assert pixels is not None
    return pixels


def _require(load: Callable[[], None]) -> None:
    """Load a model; whoever asks is told of a failure as of any worker that cannot work: a service is missing."""
    try:
        load()
    except DarkroomError as error:
        raise ServiceMissing(str(error)) from error
