"""Sidecars: the .xmp files in which Lightroom, darktable, digiKam and others note what people say of a picture."""

import os
import stat
from collections.abc import Collection

from pictures.picture import int64

EXTENSION = b".xmp"
# A larger one is not read, like a larger packet of XMP in a picture.
MAX_BYTES = 1_000_000


def find_sidecar(picture: bytes, names: Collection[bytes] | None = None) -> tuple[bytes, tuple[int, int]] | None:
    """The path of the sidecar of a picture, and its size and modification time; None where there is none.

    darktable and digiKam add to the name of the picture, IMG.jpg.xmp; Lightroom and Camera Raw replace its extension,
    IMG.xmp. The first one that is there counts. `names` are the sidecars of the folder, where somebody knows them.
    """
    for start in (picture, os.path.splitext(picture)[0]):
        for path in (start + EXTENSION, start + EXTENSION.upper()):
            if names is not None and os.path.basename(path) not in names:
                continue
            try:
                status = os.stat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                return path, (status.st_size, int64(status.st_mtime_ns))
    return None
