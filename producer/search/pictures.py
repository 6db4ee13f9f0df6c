"""A picture that is searched by: a file that can be read."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pictures.uris import uri_of
from producer.ingest.sources.named_folder import absolute
from settings.errors import WrongUse


@dataclass(frozen=True)
class PictureFile:
    """A file that can be read: its path, its URI, and the SHA-256 of its bytes in hexadecimal."""

    path: Path
    uri: str
    sha256: str


def open_picture(file: Path) -> PictureFile:
    """Look at the file; raises WrongUse with what is wrong where it is none that can be read."""
    try:
        path = absolute(file)
        facts = os.stat(path)
        if not stat.S_ISREG(kind := facts.st_mode):
            raise WrongUse(f"{path} is {'a folder' if stat.S_ISDIR(kind) else 'no regular file'}: name a picture.")
        if not facts.st_size:
            raise WrongUse(f"{path} cannot be used: the file is empty.")
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
