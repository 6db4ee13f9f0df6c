"""Which files are shown: those of points, below the allowed roots, and only if their bytes are a picture."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures.paths import NotAllowed, paths_of
from pictures.picture import Content, FileGone, LoadError
from pictures.reading import Sources
from pictures.signature import format_of
from pictures.uris import file_path, name_of, place, split
from settings import Settings

HEAD_BYTES = 4096
# What browsers show by themselves; any other picture is downloaded. No format that can hold a script is among them.
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif", "AVIF": "image/avif"}
DOWNLOADED = "application/octet-stream"


@dataclass(frozen=True)
class Original:
    """A file to send: its name, its type, and its path on this machine or else its bytes."""

    name: str
    media_type: str
    path: Path | None
    data: bytes | None

    @property
    def is_shown(self) -> bool:
        """True for what a browser may show by itself."""
        return self.media_type != DOWNLOADED


class ServedFiles:
    """Reads the files of points; safe to call from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._roots = settings.web.roots
        self._paths = paths_of(settings)
        self._sources = Sources(settings)

    def read(self, payload: Mapping[str, Any]) -> Content:
        """The content of a point's file; raises LoadError or NotAllowed with the reason where there are none."""
        self.require_shown(payload)
        return self._sources.read(payload["uri"], payload.get("root") or payload["uri"])

    def original(self, payload: Mapping[str, Any]) -> Original:
        """The file itself; raises what `read` raises, and LoadError for a file that is no picture any more."""
        name, outer = split(payload["uri"])
        if name is None and outer.startswith("file://"):
            path = self.require_shown(payload)
            assert path is not None
            try:
                with path.open("rb") as file:
                    head = file.read(HEAD_BYTES)
            except FileNotFoundError:
                raise FileGone from None
            except OSError as error:
                raise LoadError("read", f"cannot be read: {error.strerror}") from None
            return Original(name_of(payload["uri"]), _type_of(head), path, None)
        data = self.read(payload).data
        return Original(name_of(payload["uri"]), _type_of(data), None, data)

    def require_shown(self, payload: Mapping[str, Any]) -> Path | None:
        """The path of a local file or archive, with its links resolved; raises NotAllowed where it lies elsewhere.

        The file itself need not be there.
        """
        try:
            _, outer = split(payload["uri"])
            roots = self._roots or [split(payload.get("root") or payload["uri"])[1]]
            if not outer.startswith("file://"):
                remote = place(outer)
                if any(remote.is_below(place(root)) for root in roots if "://" in root and root[:5] != "file:"):
                    return None
                raise NotAllowed("this picture lies outside of the roots that are shown (web.roots)")
            real = os.path.realpath(self._paths.allowed(self._paths.here(file_path(outer))))
        except ValueError as error:
            raise NotAllowed(f"the address of this picture is refused: {error}") from None
        if not any(self._is_below(real, root) for root in roots):
            raise NotAllowed("this picture lies outside of the roots that are shown (web.roots)")
        return Path(os.fsdecode(real))

    def _is_below(self, real: bytes, root: str) -> bool:
        if root.startswith("file://"):
            folder = file_path(root)
        elif root.startswith("/"):
            folder = os.fsencode(root)
        else:
            return False
        folder = os.path.realpath(self._paths.here(folder))
        return real == folder or real.startswith(folder.rstrip(b"/") + b"/")


def _type_of(head: bytes) -> str:
    kind = format_of(head)
    if kind is None:
        raise LoadError("decode", "this file is no picture any more")
    return SHOWN.get(kind, DOWNLOADED)
