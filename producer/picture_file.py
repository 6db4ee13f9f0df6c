"""A picture that a person names to search by: what it holds, and its embedding."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer.patience import wait_for
from producer.scan import uri_of
from producer.stack import Stack
from tasks.checkpoint import PREPROCESSING
from tasks.errors import WrongUse
from tasks.queues import BY_CONTENT, EMBED_PICTURE
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
        path = Path(os.path.abspath(file.expanduser()))
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
    look_up = Question(BY_CONTENT, sha256s=[picture.sha256], clip_model=model, preprocessing=PREPROCESSING)
    known = wait_for(look_up, stack, LOOK_UP_SECONDS, "storage")
    if picture.sha256 in known:
        return Embedding(known[picture.sha256][0], model)
    if (size := picture.path.stat().st_size) > MOST_BYTES:
        raise WrongUse(f"{picture.path} has {size:,} bytes, more than {MOST_BYTES:,}: name a smaller copy of it.")
    question = Question(EMBED_PICTURE, data=picture.path.read_bytes(), name=str(picture.path))
    made = wait_for(question, stack, EMBED_SECONDS, "gpu")
    return Embedding(made["vectors"], made["clip_model"])
