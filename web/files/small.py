"""Small pictures in WebP: those that workers have made, and those that are made when they are first looked at."""

from collections.abc import Mapping
from typing import Any

from pictures.thumbnail_store import ThumbnailStore
from pictures.thumbnails import MAX_PIXELS, webp
from settings import Settings
from web.files.served import ServedFiles


class SmallPictures:
    """The small pictures of points, of files that are shown; safe to call from many threads."""

    def __init__(self, settings: Settings, files: ServedFiles) -> None:
        self._files = files
        self._store = ThumbnailStore(settings)

    def kept(self, payload: Mapping[str, Any], size: int) -> bytes | None:
        """The small picture of a point, None where none is kept; raises NotAllowed for a file that is not shown."""
        # What is kept needs no file, but shows one.
        self._files.require_shown(payload)
        return self._store.get(payload["sha256"], size)

    def make(self, payload: Mapping[str, Any], size: int) -> bytes:
        """Make the small picture of a point's file, and keep it; raises LoadError or NotAllowed with the reason."""
        from pictures.decode import small_picture

        content = self._files.read(payload)
        data = webp(small_picture(content.data, MAX_PIXELS, size))
        # By what was read: the file may be another one than the collection knows.
        self._store.put(content.sha256, size, data)
        return data
