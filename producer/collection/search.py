"""Search by words, by a picture and by facts: an embedding from a GPU worker, the nearest points from storage."""

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures.uris import uri_of
from producer.collection.where import parse_conditions
from producer.ingest.sources.named_folder import absolute
from producer.records import Picture, Records
from producer.stack import Stack
from producer.waiting import collection_facts, wait_for
from settings.errors import WrongUse
from tasks.checkpoint import PREPROCESSING
from tasks.messages import Target
from tasks.queues import BY_CONTENT, COLLECTION_NAME, EMBED_PICTURE, EMBED_TEXTS, SCROLL, SEARCH
from tasks.rpc import Question

EMBED_SECONDS = 300.0
LOOK_UP_SECONDS = 60.0
# It travels to a worker in one message, which Redis holds in memory.
MOST_BYTES = 100 * 2**20


@dataclass(frozen=True)
class PictureFile:
    """A file that can be read: its path, its URI, and the SHA-256 of its bytes in hexadecimal."""

    path: Path
    uri: str
    sha256: str


@dataclass(frozen=True)
class Embedding:
    """A vector of length one as float32 bytes, and the name of the model that made it."""

    vector: bytes
    clip_model: str


def open_picture(file: Path) -> PictureFile:
    """Look at the file; raises WrongUse with what is wrong where it is none that can be read."""
    try:
        path = absolute(file)
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):
            raise WrongUse(f"{path} is {'a folder' if stat.S_ISDIR(kind) else 'no regular file'}: name a picture.")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise WrongUse(f"There is no file {file}.") from None
    except PermissionError:
        raise WrongUse(f"{file} cannot be read: you have no permission.") from None
    except OSError as error:
        raise WrongUse(f"{file} cannot be read: {error.strerror}.") from None
    except (RuntimeError, ValueError) as error:  # "~" of a user who is not there, a zero byte
        raise WrongUse(f"{str(file)!r} names no file: {error}.") from None
    return PictureFile(path, uri_of(os.fsencode(path)), digest)


def embedding(picture: PictureFile, collection: dict[str, Any], stack: Stack) -> Embedding:
    """The embedding of a picture: the one in the collection where it has these bytes, else a GPU worker makes it.

    `collection` is what `collection_facts` says. Raises WrongUse for a picture that is too large or cannot be decoded.
    """
    model = collection["clip_model"]
    look_up = Question(BY_CONTENT, _for(model), sha256s=[picture.sha256], clip_model=model, preprocessing=PREPROCESSING)
    known = wait_for(look_up, stack, LOOK_UP_SECONDS, "storage")
    if picture.sha256 in known:
        return Embedding(known[picture.sha256][0], model)
    if (size := picture.path.stat().st_size) > MOST_BYTES:
        raise WrongUse(f"{picture.path} has {size:,} bytes, more than {MOST_BYTES:,}: name a smaller copy of it.")
    question = Question(EMBED_PICTURE, _for(model), data=picture.path.read_bytes(), name=str(picture.path))
    made = wait_for(question, stack, EMBED_SECONDS, "gpu")
    return Embedding(made["vectors"], made["clip_model"])


EMBED_SECONDS = 300.0
SEARCH_SECONDS = 60.0
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Query:
    """What to look for, read and checked: words or a picture or neither, and a filter that must hold.

    With `others_only` the picture itself is never a result.
    """

    text: str | None
    picture: PictureFile | None
    where: dict[str, Any] | None
    limit: int
    others_only: bool = False


def text_query(text: str | None, image: Path | None, conditions: Sequence[str], limit: int) -> Query:
    """A query by words or by a picture, or by conditions alone.

    Raises WrongUse for no words, and for a condition or a picture that cannot be read.
    """
    if text is not None and not text.strip():
        raise WrongUse("Say what to search for, in a few words.")
    if text is not None and image is not None:
        raise WrongUse("Search by words or by a picture, not by both.")
    where = parse_conditions(conditions)
    return Query(text, open_picture(image) if image is not None else None, where, limit)


def similar_query(file: Path, conditions: Sequence[str], limit: int, copies: bool) -> Query:
    """A query for pictures like a file, never the file itself, and byte-identical copies only with `copies`.

    Raises WrongUse for a condition or a picture that cannot be read.
    """
    where = parse_conditions(conditions) or {}
    picture = open_picture(file)
    if not copies:
        where = {**where, "none": [*where.get("none", []), {"field": "sha256", "is": picture.sha256}]}
    return Query(None, picture, where or None, limit, others_only=True)


class SearchResult(Records[Picture]):
    """The pictures that a search found, best first; `picture` is the one that was searched by, None for words.

    Where neither words nor a picture were asked for there is no score and no order.
    """

    def __init__(self, pictures: Iterable[Picture], picture: PictureFile | None) -> None:
        super().__init__(pictures)
        self.picture = picture


def search(query: Query, stack: Stack) -> SearchResult:
    """The points nearest to the query, those that its filter lets through.

    Raises WrongUse for an empty collection, and ServiceMissing when a worker cannot come up.
    """
    facts = filled_collection(stack)
    if query.picture is not None:
        # One more, because the file itself may be among them: as a copy, or as it was before it was changed.
        limit = query.limit + query.others_only
        rows = nearest(embedding(query.picture, facts, stack), limit, query.where, stack)
        if query.others_only:
            rows = [row for row in rows if row["uri"] != query.picture.uri][: query.limit]
    elif query.text is not None:
        question = Question(EMBED_TEXTS, _for(facts["clip_model"]), texts=[query.text])
        reply = wait_for(question, stack, EMBED_SECONDS, "gpu")
        rows = nearest(Embedding(reply["vectors"], reply["clip_model"]), query.limit, query.where, stack)
    else:
        question = Question(SCROLL, where=query.where, limit=query.limit)
        rows = wait_for(question, stack, SEARCH_SECONDS, "storage")["payloads"]
    return SearchResult(map(Picture.from_row, rows), query.picture)


def _for(clip_model: str | None) -> Target:
    """This collection and a CLIP model: that of the collection, whatever the settings of this command name."""
    return Target(COLLECTION_NAME, clip_model)


def filled_collection(stack: Stack) -> dict[str, Any]:
    """Name, model and size of the collection; raises WrongUse where it is empty."""
    facts = collection_facts(stack)
    if not facts["points"]:
        raise WrongUse(f"The collection {facts['name']!r} is empty: fill it with `python -m producer ingest DIR`.")
    return facts


def nearest(wanted: Embedding, limit: int, where: dict[str, Any] | None, stack: Stack) -> Rows:
    """The points nearest to an embedding that let `where` through, best first."""
    model = wanted.clip_model
    question = Question(SEARCH, _for(model), vector=wanted.vector, clip_model=model, limit=limit, where=where)
    found: Rows = wait_for(question, stack, SEARCH_SECONDS, "storage")
    return found
